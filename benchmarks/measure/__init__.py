"""Measures speed, quality, flicker, memory and power of models and classical methods."""
