"""Other precisions of a part, each made of its fp32 graph alone, in operators of the ONNX standard."""
