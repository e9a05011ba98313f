"""Training, evaluation and export of wake words; the only place that imports torch."""
