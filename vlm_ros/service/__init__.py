"""The model in service: on ONNX Runtime at once, on the engines for this device as soon as they are there."""
