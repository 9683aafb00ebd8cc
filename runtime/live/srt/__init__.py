"""SRT through the program ffmpeg, since the FFmpeg inside PyAV's wheels has none (17.1)."""
