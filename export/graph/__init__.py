"""ONNX graphs of networks, in float32: written, simplified, compared with torch."""
