"""Graphs as TensorRT takes them, and what it would not take."""
