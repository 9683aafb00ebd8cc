"""What dehazing a video costs, end to end, beside decoding and encoding it alone."""
