"""Whether a part still answers as its fp32 graph does, and which layer went wrong where it does not."""
