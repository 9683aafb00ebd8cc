"""What is measured and on what: speed, quality, flicker, memory and power of models and methods."""
