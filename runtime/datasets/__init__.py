"""Data sets as files, and figures of dehazed pictures; what training and benchmarks both need."""
