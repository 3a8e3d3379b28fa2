"""The pictures of a drive: plain values in, Pillow images out."""
