"""A real RTSP camera for tests: GStreamer's RTSP server, which plays a file in its own time.

Run by Debian's own python3, for which alone python3-gi is built: rtsp_server.py PORT FILE.mp4
Instead of a file, - sends what comes on standard input: access units of H.264, each behind four
bytes with its length. A file with AAC is played with its sound where --sound is given, one of HEVC
with --hevc.
Needs: apt-get install gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-base
gstreamer1.0-plugins-good
"""

from __future__ import annotations

import struct
import sys
import threading
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402  # versions come first

PIPELINE = "filesrc location={} ! qtdemux name=file {} ! {} name=pay0 config-interval=-1"
QUEUED = "file.video_0 ! queue"
SOUND = "file.audio_0 ! queue ! aacparse ! rtpmp4gpay name=pay1"
PUSHED = (
    "appsrc name=source is-live=true do-timestamp=true format=time "
    "caps=video/x-h264,stream-format=byte-stream,alignment=au "
    "! rtph264pay name=pay0 config-interval=-1"
)
sources: list[Any] = []


def push() -> None:
    """Gives standard input to who watches."""
    while len(head := sys.stdin.buffer.read(4)) == 4:
        data = sys.stdin.buffer.read(struct.unpack(">I", head)[0])
        for source in sources[-1:]:
            source.emit("push-buffer", Gst.Buffer.new_wrapped(data))


def on_media(_: Any, media: Any) -> None:
    sources.append(media.get_element().get_by_name("source"))


def main() -> None:
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(sys.argv[1])
    factory = GstRtspServer.RTSPMediaFactory()
    if sys.argv[2] == "-":
        factory.set_launch(f"( {PUSHED} )")
        factory.set_shared(True)
        factory.connect("media-configure", on_media)
        threading.Thread(target=push, daemon=True).start()
    else:
        queued, sound = (QUEUED, SOUND) if "--sound" in sys.argv else ("", "")
        pay = "rtph265pay" if "--hevc" in sys.argv else "rtph264pay"
        factory.set_launch(f"( {PIPELINE.format(sys.argv[2], queued, pay)} {sound} )")
    server.get_mount_points().add_factory("/camera", factory)
    server.attach(None)
    print("ready", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
