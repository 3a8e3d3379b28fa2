"""The real Python bindings of TensorRT, and what can be read off them on a machine without it."""
