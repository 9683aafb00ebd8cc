"""Data sets as files, and figures of dehazed pictures: both training and benchmarks need them."""
