"""Pictures and videos in and out, with everything kept but the haze; knows nothing of models."""
