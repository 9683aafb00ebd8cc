"""What ONNX Runtime can run a model on, whether that computes rightly, and which is fastest."""
