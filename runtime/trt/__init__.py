"""TensorRT: engines are built, found, opened and run."""
