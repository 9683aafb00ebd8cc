"""Plain transcoding, the least that a dehazed video costs: decodes a video and encodes it again.

python -m dehaze.benchmarks.video.transcode IN OUT libx264 yuv420p '{"crf": "20"}'

It is a process of its own, as dehaze-run is, and imports nothing but FFmpeg.
"""

from __future__ import annotations

import json
import sys
from itertools import islice

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from av.video.stream import VideoStream

__all__ = ["scaled_copy", "transcode"]


def transcode(
    source: str, target: str, encoder: str, pixel_format: str, settings: dict[str, str]
) -> int:
    """Returns the number of frames."""
    frames = 0
    with av.open(source) as hazy, av.open(target, "w") as out:
        stream = hazy.streams.video[0]
        stream.thread_type = "AUTO"
        made = out.add_stream(encoder, rate=stream.average_rate, options=settings)
        assert isinstance(made, VideoStream)
        context: VideoCodecContext = made.codec_context
        context.width, context.height = stream.width, stream.height
        context.pix_fmt = pixel_format
        assert stream.time_base is not None
        context.time_base = stream.time_base
        for frame in hazy.decode(stream):
            frame.pict_type = PictureType.NONE  # the encoder's own choice
            out.mux(made.encode(frame))
            frames += 1
        out.mux(made.encode(None))
    return frames


def scaled_copy(source: str, target: str, size: tuple[int, int], most_frames: int) -> None:
    """Writes the first frames of a video at another size (width, height), as H.264.

    Raises:
        av.FFmpegError: it cannot be read.
    """
    with av.open(source) as small, av.open(target, "w") as out:
        stream = small.streams.video[0]
        made = out.add_stream(
            "libx264", rate=stream.average_rate, options={"crf": "20", "preset": "veryfast"}
        )
        assert isinstance(made, VideoStream)
        made.width, made.height = size
        made.pix_fmt = "yuv420p"
        for index, frame in enumerate(islice(small.decode(stream), most_frames)):
            larger = frame.reformat(*size, format="yuv420p")
            larger.pts, larger.time_base = index, 1 / made.codec_context.framerate
            larger.pict_type = PictureType.NONE
            out.mux(made.encode(larger))
        out.mux(made.encode(None))


def main() -> None:
    """Prints what `transcode` returns for the arguments of the command."""
    source, target, encoder, pixel_format, settings = sys.argv[1:]
    print(transcode(source, target, encoder, pixel_format, json.loads(settings)))
