"""Finds what ONNX Runtime can run a model on, checks that it computes rightly, and times it."""
