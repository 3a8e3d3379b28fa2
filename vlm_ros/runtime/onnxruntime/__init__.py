"""The home of ONNX Runtime."""
