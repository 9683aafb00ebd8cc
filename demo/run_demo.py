"""Dehazes the shipped clip and says how fast that was and how close it came to the clear original.

Needs the runtime only. The clip is rendered by make_clip.py, so its clear original is known.
"""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
from tqdm import tqdm

from dehaze.runtime import DehazeError, open_dehazer
from dehaze.runtime.files.video import dehaze_video

DEMO = Path(__file__).parent
HAZY, CLEAR = DEMO / "street-hazy.mp4", DEMO / "street-clear.mp4"
RESULT = DEMO / "result" / "street-dehazed.mp4"
PICTURE = DEMO / "result" / "before-after.jpg"
PICTURED_FRAME = 60


def mean_psnr(video: Path, reference: Path) -> float:
    """Mean over the frames of PSNR in dB, from decoded 8-bit RGB."""
    values = []
    with av.open(str(video)) as one, av.open(str(reference)) as other:
        for a, b in zip(one.decode(video=0), other.decode(video=0), strict=True):
            difference = a.to_ndarray(format="rgb24").astype(np.float32)
            difference -= b.to_ndarray(format="rgb24")
            values.append(10 * np.log10(255**2 / np.mean(difference**2)))
    return float(np.mean(values))


def write_before_after() -> None:
    """Writes a frame of the hazy and of the dehazed clip side by side."""
    halves = []
    for path in (HAZY, RESULT):
        with av.open(str(path)) as container:
            frame = next(islice(container.decode(video=0), PICTURED_FRAME, None))
            halves.append(frame.to_ndarray(format="bgr24"))
    cv2.imwrite(str(PICTURE), np.hstack(halves), [cv2.IMWRITE_JPEG_QUALITY, 90])


def main() -> int:
    RESULT.parent.mkdir(exist_ok=True)
    try:
        # disable=None: no bar where standard error is not a terminal.
        with (
            open_dehazer() as dehazer,
            tqdm(total=150, unit="frame", leave=False, disable=None) as bar,
        ):
            summary = dehaze_video(HAZY, RESULT, dehazer, on_frame=lambda _: bar.update())
    except DehazeError as error:
        print(f"demo: {error}", file=sys.stderr)
        return error.exit_code
    write_before_after()
    size = f"{summary.width}x{summary.height}"
    print(f"result:  {RESULT}")
    print(f"picture: {PICTURE}")
    print(f"speed:   {summary.frames} frames of {size}, {summary.fps:.1f} frames per second")
    print(f"PSNR:    {mean_psnr(HAZY, CLEAR):.2f} dB before, {mean_psnr(RESULT, CLEAR):.2f} after")
    return 0


if __name__ == "__main__":
    sys.exit(main())
