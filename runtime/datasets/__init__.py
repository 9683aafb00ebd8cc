"""What training and benchmarks both need: data sets as files, and figures of dehazed pictures."""
