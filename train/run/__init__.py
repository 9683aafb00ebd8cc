"""A run beside its loop: its folder and checkpoints, its lock, its processes, and how it stops."""
