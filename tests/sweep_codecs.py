"""Encodes colour patches in many ways and dehazes them with strength 0: what comes back?

    python tests/sweep_codecs.py [--codecs h264 hevc ...]

Prints the largest mean error per patch, in levels of 255, for every codec, depth, chroma, range
and matrix that the encoder takes, and behind it what the codec alone loses: that of the decoded
source encoded once more, with the same settings and without our software. Within rounding means at
most 0.2 beyond that, which is what the exit status tells.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.codec import Codec

from dehaze.runtime import FunctionSession
from dehaze.runtime.dehazer import Dehazer
from dehaze.runtime.files.video import VideoOptions, dehaze_video
from dehaze.runtime.media.encoders import CODECS, EncoderOptions, encoder_settings
from dehaze.runtime.media.pixels.colour import Colours
from dehaze.runtime.media.pixels.frame_pixels import (
    EncoderPixels,
    colours_of_frame,
    frame_of,
    rgb_of,
)
from dehaze.runtime.media.pixels.pixel_layout import layout_of

ENCODERS = {**CODECS, "mpeg2": "mpeg2video", "mjpeg": "mjpeg", "prores": "prores_ks"}
ENCODERS["ffv1"] = "ffv1"
SETTINGS = {
    "libx264": {"crf": "4"},
    "libx265": {"crf": "4", "x265-params": "log-level=error"},
    "libsvtav1": {"crf": "4", "preset": "10"},
    "libvpx-vp9": {"crf": "4", "b": "0", "deadline": "realtime"},
    "mpeg2video": {"flags": "+qscale", "global_quality": "236"},
    "mjpeg": {"flags": "+qscale", "global_quality": "236"},
}
MATRICES = {"601": 5, "709": 1, "2020": 9}
SIDE, PATCH = 96, 32
QUALITY = 4
WITHIN_ROUNDING = 0.2


def patches(deep: bool) -> Any:
    """(96, 96, 3) of nine colours that no conversion cuts off."""
    colours = np.random.default_rng(1).integers(50, 206, (3, 3, 3)).astype(np.uint8)
    small = colours.repeat(PATCH, 0).repeat(PATCH, 1)
    return small.astype(np.uint16) * 257 if deep else small


def source(path: Path, encoder: str, name: str, colours: Colours) -> bool:
    """Writes three frames; False where the encoder or the file does not take them."""
    layout = layout_of(av.VideoFormat(name))
    try:
        with av.open(str(path), "w") as container:
            stream = container.add_stream(encoder, rate=25, options=SETTINGS.get(encoder, {}))
            context: Any = stream.codec_context
            context.width = context.height = SIDE
            context.pix_fmt, context.colorspace = name, colours.matrix
            context.color_range = 2 if colours.full_range else 1
            for index in range(3):
                pixels = patches(layout.depth > 8)
                frame = frame_of(pixels, None, EncoderPixels(name, layout, colours))
                frame.pts, frame.time_base = index, Fraction(1, 25)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    except (av.FFmpegError, ValueError):
        return False
    return True


def encoded_again(path: Path, target: Path, encoder: str, pixels: EncoderPixels) -> None:
    """Decodes a video and encodes its planes with the settings of `dehaze-run`."""
    settings = encoder_settings(EncoderOptions(quality=QUALITY), encoder, ".mkv", pixels)
    with av.open(str(path)) as before, av.open(str(target), "w") as after:
        stream = after.add_stream(encoder, rate=25, options=settings)
        context: Any = stream.codec_context
        context.width = context.height = SIDE
        context.pix_fmt, context.colorspace = pixels.name, pixels.colours.matrix
        context.color_range = 2 if pixels.colours.full_range else 1
        for index, frame in enumerate(before.decode(video=0)):
            frame.pts, frame.time_base, frame.pict_type = index, Fraction(1, 25), 0
            after.mux(stream.encode(frame))
        after.mux(stream.encode(None))


def means(path: Path, colours: Colours | None = None) -> Any:
    """(3, 3, 3) mean RGB of the patches, in levels of 255, without their edges."""
    with av.open(str(path)) as container:
        frame = list(container.decode(video=0))[-1]
    said = colours_of_frame(frame, frame.height)[0]
    rgb = rgb_of(frame, (SIDE, SIDE), colours or said, deep=True) / 257
    inner = rgb.reshape(3, PATCH, 3, PATCH, 3)[:, 8:-8, :, 8:-8]
    return inner.mean((1, 3))


def sweep(folder: Path, names: list[str]) -> dict[tuple[str, ...], tuple[float, float]]:
    """The error, and that of the codec alone, by codec, depth, chroma, range and matrix."""
    errors = {}
    with Dehazer(FunctionSession(lambda frames: frames), strength=0) as dehazer:
        for codec, depth, chroma, full, matrix in product(
            names, (8, 10), ("420", "422", "444"), (False, True), MATRICES
        ):
            encoder = ENCODERS[codec]
            name = f"yuv{chroma}p" + ("" if depth == 8 else "10le")
            offered = [layout.name for layout in Codec(encoder, "w").video_formats or ()]
            colours = Colours(MATRICES[matrix], full_range=full)
            before, after = folder / "before.mkv", folder / "after.mkv"
            if name not in offered or not source(before, encoder, name, colours):
                continue
            options = VideoOptions(encoder=EncoderOptions(encoder, QUALITY))
            dehaze_video(before, after, dehazer, options)
            pixels = EncoderPixels(name, layout_of(av.VideoFormat(name)), colours)
            encoded_again(before, folder / "again.mkv", encoder, pixels)
            key = (codec, f"{depth} bits", chroma, "pc" if full else "tv", matrix)
            wanted = means(before)
            files = (after, folder / "again.mkv")
            ours, alone = (float(np.abs(means(file) - wanted).max()) for file in files)
            errors[key] = ours, alone
    return errors


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--codecs", nargs="+", choices=ENCODERS, default=list(ENCODERS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        errors = sweep(Path(folder), options.codecs)
    worst: dict[tuple[str, str], tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))
    for key, error in errors.items():
        print(" ".join(f"{part:7}" for part in key), "{:.3f}, codec alone {:.3f}".format(*error))
        worst[key[:2]] = max(worst[key[:2]], error)  # type: ignore[index]
    for (codec, depth), error in worst.items():
        print(f"{codec:7} {depth:7} at most {error[0]:.3f}, of which the codec {error[1]:.3f}")
    return int(any(ours > alone + WITHIN_ROUNDING for ours, alone in errors.values()))


if __name__ == "__main__":
    sys.exit(main())
