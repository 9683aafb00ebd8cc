"""Video files around the frames: times, other streams, and what PyAV leaves out of headers."""
