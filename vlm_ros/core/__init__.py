"""The vocabulary every other room speaks: plain values, errors, clocks. Standard library and NumPy only."""
