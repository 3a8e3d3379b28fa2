"""The home of TensorRT and PyCUDA."""
