"""From ONNX parts to engines for this device, once and safely."""
