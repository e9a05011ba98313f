"""Audio as samples: capture, ring buffer, files and resampling. It knows nothing of wake words."""
