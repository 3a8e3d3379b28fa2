"""Building engines with TensorRT."""
