"""Live frames sent to a server, a network address, an HLS playlist or a virtual camera."""
