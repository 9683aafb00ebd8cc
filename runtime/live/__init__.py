"""Cameras, streams and pipes, dehazed while they run."""
