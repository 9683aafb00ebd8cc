"""A command around `run_live` with a stand-in for the model, for tests that need a real process.

python live_program.py SOURCE TARGET [--delay SECONDS] [--model] [--mode WxH@FPS] ...
The closing JSON goes to standard error after the word FIGURES.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

import numpy as np

from dehaze.runtime.command import run_command
from dehaze.runtime.live.address import frame_mode
from dehaze.runtime.live.run import LiveOptions, run_live
from dehaze.runtime.stream import DehazedFrame


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--model", action="store_true", help="the shipped one, not a stand-in")
    parser.add_argument("--mode")
    parser.add_argument("--give-up", type=float)
    parser.add_argument("--segment", type=float)
    parser.add_argument("--preview", type=int)
    parser.add_argument("--side-by-side", action="store_true")
    parser.add_argument("--overwrite", action="store_true")
    given = parser.parse_args()
    options = LiveOptions(
        mode=frame_mode(given.mode) if given.mode else None,
        give_up_seconds=given.give_up,
        segment_seconds=given.segment,
        preview_port=given.preview,
        side_by_side=given.side_by_side,
        overwrite=given.overwrite,
        about={"model": "edge" if given.model else "inverted", "backend": "onnxruntime"},
    )
    target = None if given.target == "none" else given.target

    def action() -> None:
        process = _model() if given.model else _inverter(given.delay)
        figures = run_live(given.source, target, process, options)
        print("FIGURES", json.dumps(figures), file=sys.stderr, flush=True)

    return run_command("dehaze-run", action, "stopped twice")


def _inverter(delay: float) -> Any:
    def process(frame: np.ndarray) -> DehazedFrame:
        time.sleep(delay)
        return DehazedFrame(255 - frame, float(frame.mean()) / 255)

    return process


def _model() -> Any:
    from dehaze.runtime import open_dehazer

    dehazer = open_dehazer("edge", threads=1)

    def process(frame: np.ndarray) -> DehazedFrame:
        return DehazedFrame(dehazer(frame), float(frame.min(axis=2).mean()) / 255)

    return process


if __name__ == "__main__":
    sys.exit(main())
