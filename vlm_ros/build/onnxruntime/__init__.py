"""Building for ONNX Runtime."""
