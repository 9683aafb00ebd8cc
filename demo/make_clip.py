"""Renders the demo clip: a drive down a street, clear and in fog of known density.

    python demo/make_clip.py

writes `street-hazy.mp4` (with sound) and `street-clear.mp4` (the reference for PSNR) beside this
file. The fog is the scattering model, I = J t + A (1 - t) with t = exp(-beta depth), applied to
display values in [0, 1] before the picture is scaled down.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from types import TracebackType

import av
import cv2
import numpy as np
import numpy.typing as npt
from ambience import RATE, street_ambience
from raycast import Floats
from renderer import Renderer
from street import street
from tqdm import tqdm
from vehicles import LANE_X, ONCOMING_SPEED, ONCOMING_START, parked_cars, traffic
from views import Camera

Bytes = npt.NDArray[np.uint8]

FPS = 25
SUPERSAMPLING = 2
AIRLIGHT = np.array([0.90, 0.91, 0.93], np.float32)
"""Display RGB in [0, 1]."""
SPEED = 8.0
"""Metres per second."""
MAX_TOTAL_BYTES = 2_000_000
"""The limit for both files, which live in the git repository."""


def camera_at(seconds: float, size: tuple[int, int]) -> Camera:
    """The driver's view at a time in the clip; `size` is (H, W)."""
    swing = 2 * np.pi * seconds / 6
    eye = (LANE_X + 0.3 * np.sin(swing), 1.55 + 0.015 * np.sin(9 * seconds), SPEED * seconds)
    yaw = 0.05 * np.sin(swing + 0.8)
    pitch = 0.045 + 0.003 * np.sin(7 * seconds)
    return Camera(size, eye, float(yaw), float(pitch), 0.85 * size[1])


def fogged(clear: Floats, transmission: Floats) -> Floats:
    """(H, W, 3) hazy frame from (H, W, 3) clear and (H, W) transmission, all in [0, 1]."""
    share = transmission[..., None]
    return clear * share + AIRLIGHT * (1 - share)


def bytes_from_supersampled(picture: Floats, size: tuple[int, int]) -> Bytes:
    """(H, W, 3) uint8 from (H * k, W * k, 3) float32 in [0, 1], by averaging."""
    small = cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA)
    return np.rint(np.clip(small, 0, 1) * 255).astype(np.uint8)


class ClipWriter:
    """Encodes RGB frames as H.264, and sound as AAC, into a temporary file beside `path`."""

    def __init__(self, path: Path, size: tuple[int, int], crf: float, with_sound: bool) -> None:
        self.path = path
        self.part = path.with_suffix(".part")
        self.container = av.open(
            str(self.part), "w", format="mp4", options={"movflags": "+faststart"}
        )
        self.video = self.container.add_stream(
            "libx264", rate=FPS, options={"crf": str(crf), "preset": "slower"}
        )
        self.video.height, self.video.width = size
        self.video.pix_fmt = "yuv420p"
        # x264 decides differently with more threads; one gives the same file on any machine size.
        self.video.codec_context.thread_count = 1
        self.audio = self.container.add_stream("aac", rate=RATE) if with_sound else None
        if self.audio is not None:
            self.audio.layout = "stereo"
            self.audio.bit_rate = 96_000

    def write(self, frame: Bytes) -> None:
        """Appends one (H, W, 3) uint8 RGB frame."""
        picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
        self.container.mux(self.video.encode(picture))

    def write_sound(self, samples: Floats) -> None:
        """Appends (2, N) float32 in [-1, 1] at RATE."""
        if self.audio is None:
            raise ValueError(f"{self.path.name} was opened without sound; pass with_sound=True")
        block = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples), format="fltp", layout="stereo"
        )
        block.sample_rate = RATE
        self.container.mux(self.audio.encode(block))

    def __enter__(self) -> ClipWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            for stream in (self.video, self.audio):
                if stream is not None:
                    self.container.mux(stream.encode(None))
        self.container.close()
        if kind is not None:
            self.part.unlink(missing_ok=True)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=150, help=f"at {FPS} per second")
    parser.add_argument("--size", default="640x360", help="WIDTHxHEIGHT, both even")
    parser.add_argument("--beta", type=float, default=0.027, help="scattering coefficient, 1/m")
    parser.add_argument("--crf-hazy", type=float, default=22)
    parser.add_argument("--crf-clear", type=float, default=23)
    parser.add_argument("--seed", type=int, default=6, help="of the street, the cars and the sound")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="a folder")
    return parser.parse_args()


def render(
    options: argparse.Namespace, size: tuple[int, int], hazy: ClipWriter, clear: ClipWriter
) -> tuple[float, float]:
    """Writes every frame to both clips; returns their PSNR in dB and the mean transmission."""
    renderer = Renderer(street(options.seed) + parked_cars(options.seed))
    closing = SPEED + ONCOMING_SPEED
    pass_at = ONCOMING_START / closing
    sound = street_ambience(options.frames / FPS, pass_at, closing, options.seed)
    rays = (size[0] * SUPERSAMPLING, size[1] * SUPERSAMPLING)
    squared_errors, transmissions = [], []
    for index in tqdm(range(options.frames), unit="frame"):
        seconds = index / FPS
        picture, depth = renderer.frame(camera_at(seconds, rays), traffic(seconds))
        transmission = np.exp(-np.float32(options.beta) * depth)
        clear_frame = bytes_from_supersampled(picture, size)
        hazy_frame = bytes_from_supersampled(fogged(picture, transmission), size)
        clear.write(clear_frame)
        hazy.write(hazy_frame)
        hazy.write_sound(sound[:, index * RATE // FPS : (index + 1) * RATE // FPS])
        squared_errors.append(np.square(clear_frame / 255 - hazy_frame / 255).mean())
        transmissions.append(transmission.mean())
    return float(-10 * np.log10(np.mean(squared_errors))), float(np.mean(transmissions))


def publish(writers: list[ClipWriter]) -> None:
    """Gives the finished files their names, unless together they are too large."""
    total = sum(writer.part.stat().st_size for writer in writers)
    if total > MAX_TOTAL_BYTES:
        for writer in writers:
            writer.part.unlink()
        raise SystemExit(
            f"the clips take {total} bytes, expected at most {MAX_TOTAL_BYTES}; "
            "raise --crf-clear or --crf-hazy"
        )
    for writer in writers:
        writer.part.replace(writer.path)
        print(f"{writer.path}: {writer.path.stat().st_size} bytes")


def main() -> None:
    options = parse_arguments()
    width, height = (int(side) for side in options.size.split("x"))
    size = (height, width)
    began = time.monotonic()
    with (
        ClipWriter(options.output / "street-hazy.mp4", size, options.crf_hazy, True) as hazy,
        ClipWriter(options.output / "street-clear.mp4", size, options.crf_clear, False) as clear,
    ):
        psnr_db, transmission = render(options, size, hazy, clear)
    publish([hazy, clear])
    print(
        f"hazy vs clear: PSNR {psnr_db:.2f} dB, mean transmission {transmission:.3f}, "
        f"rendered in {time.monotonic() - began:.0f} s"
    )


if __name__ == "__main__":
    main()
