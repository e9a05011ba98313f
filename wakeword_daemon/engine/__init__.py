"""From samples to scores and detections: log-mel, streaming CRNN, model file, detector; numpy only."""
