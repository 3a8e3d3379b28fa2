"""From a checkpoint to an ONNX bundle. Needs torch: the extra `export`."""
