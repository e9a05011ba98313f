"""Audio as samples: capture, ring buffer, files and resampling; knows no words."""
