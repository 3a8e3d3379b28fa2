"""Pixels: ROS encodings to an RGB view, and preprocessing as the model expects it."""
