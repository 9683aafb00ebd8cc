"""The figures that were measured: their records, their file, how sure they are, and comparisons."""
