"""Pixels of video frames: layouts, colours, light and orientation, to RGB and back."""
