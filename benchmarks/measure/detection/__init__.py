"""Detection before and after dehazing: labelled pictures, detectors and their precision."""
