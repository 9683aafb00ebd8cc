"""The same graph in FP16 or INT8, and what that costs."""
