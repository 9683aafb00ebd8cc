"""Dehazes a camera, a stream or a pipe while it runs.

Capturing, inference and encoding each have a thread of their own. Behind a camera the newest frame
wins: what a slow model cannot follow is dropped, and latency stays at one frame. Behind a pipe
every frame is answered.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..command import printable
from ..errors import InputError, UsageError
from ..media.encoders import EncoderOptions
from ..media.notices import Notices
from ..media.pictures import side_by_side as beside
from ..output_file import remove_leftovers
from ..prefetch import Prefetch
from ..preview.server import PreviewServer
from ..stream import DehazedFrame
from ..timing import stages_in_words
from .address import PIPE, FrameMode, is_stream, shown_address
from .figures import LiveFigures
from .newest_frame import NewestFrame
from .open_source import open_source
from .sinks import LiveSink, open_sink, sending_figures
from .source import LiveFrame, LiveSource

__all__ = ["LiveOptions", "live_closing_line", "run_live"]

_ENDING_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
"""Ctrl-C, `kill`, a closed terminal, and Ctrl-Break, which is Windows' own."""
_SAME_WISH_SECONDS = 1.0


@dataclass(frozen=True)
class LiveOptions:
    """The options for live input."""

    mode: FrameMode | None = None
    """Size and frame rate of raw frames; for a camera, those to request."""
    give_up_seconds: float | None = None
    """Seconds to wait for the return of a lost stream; None waits for ever."""
    encoder: EncoderOptions = field(default_factory=EncoderOptions)
    side_by_side: bool = False
    """True to show the hazy frame to the left of the clear one."""
    overwrite: bool = False
    segment_seconds: float | None = None
    """After how long another file begins; None records into one."""
    preview_port: int | None = None
    """The port of the preview; 0 takes a free port, None shows no preview."""
    preview_host: str = "127.0.0.1"
    """The address on which the preview listens: 127.0.0.1 for this computer, 0.0.0.0 for all."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """Words that the preview shows beside its figures: "model", "backend"."""


def _tell_stderr(line: str) -> None:
    print(f"dehaze-run: {printable(line)}", file=sys.stderr, flush=True)


def run_live(
    source: str,
    target: str | None,
    process: Callable[[NDArray[np.uint8]], DehazedFrame],
    options: LiveOptions | None = None,
    *,
    on_frame: Callable[[], None] | None = None,
    tell: Callable[[str], None] = _tell_stderr,
) -> dict[str, Any]:
    """Dehazes `source` until it ends or Ctrl-C; returns what `--json` prints.

    Ctrl-C, SIGTERM and SIGHUP complete the recording and return; one more, a second or more later,
    raises KeyboardInterrupt. What was recorded is kept whatever happens: the camera vanishes, the
    disk is full, the process is killed. Of a killed run the next one makes `NAME-recovered`.

    Args:
        source: an address for which `address.is_live` holds, or a video file, which is played in
            its own time.
        target: a video file, a stream (see `address.is_stream`), `-` for raw frames on standard
            output, None for the preview alone.
        process: takes (H, W, 3) uint8 RGB; called from one thread, which is not the caller's.
        on_frame: called after each frame.
        tell: called with one line for each thing to know on the way.

    Raises:
        InputError: the camera cannot be opened, vanished, or a raw frame is cut off.
        OutputError: the file exists or cannot be written, or the preview's port is taken.
        UsageError: an address or options that make no sense.
        BrokenPipeError: nobody reads the raw frames any more.
    """
    options = options or LiveOptions()
    if target is None and options.preview_port is None:
        raise UsageError("name an OUTPUT, - for raw frames, or --preview PORT to watch")
    is_file = target is not None and target != PIPE and not is_stream(target)
    if target and is_file:
        for path in remove_leftovers(Path(target).parent):
            tell(f"a run before this one was killed; what it recorded is {path}")
    stop = threading.Event()
    patience = options.give_up_seconds
    with (
        _stopped_by_signals(stop),
        open_source(source, options.mode, stop, tell=tell, give_up_seconds=patience) as camera,
        _told(camera, tell) as notices,
        open_sink(
            target,
            camera,
            options.encoder,
            stop,
            tell=tell,
            overwrite=options.overwrite,
            segment_seconds=options.segment_seconds,
            give_up_seconds=patience,
        ) as output,
    ):
        captured = Prefetch(camera.read()) if camera.lossless else NewestFrame(camera.read(), stop)
        newest = captured if isinstance(captured, NewestFrame) else None
        figures = LiveFigures(
            camera, output.encode_times, options.about, lambda: newest.dropped if newest else 0
        )
        dehazed = _dehazed(captured, process, figures)
        lost: InputError | None = None
        with _preview(options, figures, tell) as preview, captured, Prefetch(dehazed, 1) as results:
            try:
                for frame, clear in results:
                    _put(frame, clear, output, side_by_side=options.side_by_side)
                    figures.add(frame, clear.haze)
                    if preview:
                        preview.offer(frame.pixels, clear.pixels)
                    if on_frame:
                        on_frame()
            except InputError as error:
                lost = error
            finally:
                stop.set()
        if is_file and not figures.frames:  # a video without a frame is none
            raise lost or InputError(f"{camera.name}: ended before its first frame")
    if lost:
        kept = f"; {target} holds the {figures.frames} frames before" if is_file else ""
        raise InputError(f"{lost}{kept}") from lost
    shown = shown_address(target) if target and is_stream(target) else target
    sent = sending_figures(output)
    return {
        "input": camera.name,
        "output": shown,
        **figures.summary(),
        **sent,
        "notices": list(notices),
    }


def _put(frame: LiveFrame, clear: DehazedFrame, output: LiveSink, *, side_by_side: bool) -> None:
    """Writes a dehazed frame, at its time."""
    shown = beside(frame.pixels, clear.pixels) if side_by_side else clear.pixels
    output.write(replace(frame, pixels=shown))


def _dehazed(
    frames: Iterable[LiveFrame],
    process: Callable[[NDArray[np.uint8]], DehazedFrame],
    figures: LiveFigures,
) -> Iterator[tuple[LiveFrame, DehazedFrame]]:
    for frame in frames:
        with figures.inference_times.measure():
            clear = process(frame.pixels)
        yield frame, clear


@contextmanager
def _told(camera: LiveSource, tell: Callable[[str], None]) -> Iterator[Notices]:
    """Has each notice of a run told when it arises, for its end may be days away."""
    for sentence in camera.notices:
        tell(f"{camera.name}: {sentence}")
    camera.notices.on_add = lambda sentence: tell(f"{camera.name}: {sentence}")
    yield camera.notices


@contextmanager
def _preview(
    options: LiveOptions, figures: LiveFigures, tell: Callable[[str], None]
) -> Iterator[PreviewServer | None]:
    if options.preview_port is None:
        yield None
        return
    with PreviewServer(options.preview_host, options.preview_port, figures.now) as server:
        tell(f"preview: {server.url}")
        yield server


@contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """Sets `stop` at the first signal to end, and raises KeyboardInterrupt at a later one."""
    asked: list[float] = []

    def on_signal(number: int, frame: object) -> None:  # noqa: ARG001  # as signal.signal has it
        # timeout(1) and shells signal the process and its group: the second is no second wish.
        if asked and time.monotonic() - asked[0] > _SAME_WISH_SECONDS:
            raise KeyboardInterrupt
        asked.append(time.monotonic())
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield  # signals belong to the main thread
        return
    numbers = [getattr(signal, name) for name in _ENDING_SIGNALS if hasattr(signal, name)]
    before = [signal.signal(number, on_signal) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def live_closing_line(figures: dict[str, Any]) -> str:
    """The line that a run prints at its end, without --json."""
    stages = stages_in_words(figures, ("capture", "inference", "encode", "latency"))
    unsent = f"{figures['unsent']} not sent, " if "unsent" in figures else ""
    return (
        f"{printable(figures['output'] or figures['input'])}: {figures['frames']} frames in "
        f"{figures['seconds']:.1f} s, {figures['dropped']} dropped, {unsent}"
        f"{figures['fps']:.1f} fps; "
        f"{stages}"
    )
