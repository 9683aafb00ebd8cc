"""The estimate of the haze on a coarse grid, and the passes over a frame's pixels that use it."""
