"""From a graph to what a builder takes: newer operators in older ones, and a decoder in blocks of layers."""
