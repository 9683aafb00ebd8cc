"""CUDA's driver: the GPU of this machine, and two Python bindings behind one interface."""
