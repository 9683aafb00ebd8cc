"""Model files: their contract, metadata and graph, read without the onnx package."""
