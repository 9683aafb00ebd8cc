"""A real RTSP server that takes streams, for tests: what is published at /live comes out as pieces.

Run by Debian's own python3, for which alone python3-gi is built: rtsp_recorder.py PORT [--sound]
After the line "ready" standard output carries, of each access unit of H.264 and each packet of AAC,
a letter (v or a), four bytes with its length and itself. With --sound a stream has both.
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

SINK = "appsink name={} emit-signals=true sync=false"
VIDEO = "rtph264depay name=depay0 ! video/x-h264,stream-format=byte-stream,alignment=au"
SOUND = "rtpmp4gdepay name=depay1"
writing = threading.Lock()


def on_sample(sink: Any, kind: bytes) -> Any:
    buffer = sink.emit("pull-sample").get_buffer()
    data = buffer.extract_dup(0, buffer.get_size())
    with writing:
        sys.stdout.buffer.write(kind + struct.pack(">I", len(data)) + data)
        sys.stdout.buffer.flush()
    return Gst.FlowReturn.OK


def on_media(_: Any, media: Any) -> None:
    for name, kind in (("video", b"v"), ("sound", b"a")):
        sink = media.get_element().get_by_name(name)
        if sink:
            sink.connect("new-sample", on_sample, kind)


def main() -> None:
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(sys.argv[1])
    factory = GstRtspServer.RTSPMediaFactory()
    sound = f"{SOUND} ! {SINK.format('sound')}" if "--sound" in sys.argv else ""
    factory.set_launch(f"( {VIDEO} ! {SINK.format('video')} {sound} )")
    factory.set_transport_mode(GstRtspServer.RTSPTransportMode.RECORD)
    factory.connect("media-configure", on_media)
    server.get_mount_points().add_factory("/live", factory)
    server.attach(None)
    print("ready", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
