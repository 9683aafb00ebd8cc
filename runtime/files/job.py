"""Dehazes files: what `dehaze-run` does once its arguments are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..dehazer import Dehazer
from ..errors import DehazeError, InputError, one_line
from ..media.notices import Notices
from ..output_file import finished_output
from ..stream import Stream, StreamOptions
from ..timing import StageTimes
from .plan import Job

if TYPE_CHECKING:
    from ..media.pictures import Picture  # with Pillow, which no video needs: 60 ms of CPU
    from .video import VideoOptions, VideoSummary  # with FFmpeg, which no picture needs

__all__ = [
    "PictureReader",
    "PictureRun",
    "RunOptions",
    "VideoDehazer",
    "dehaze_picture",
    "run_job",
    "run_video",
]

PictureReader = Callable[[Path, Notices], "Picture"]
"""`pictures.read_picture`, or the same in a process of its own."""
VideoDehazer = Callable[..., "VideoSummary"]
"""`video.dehaze_video` with a dehazer, or the same in a process of its own."""


@dataclass(frozen=True)
class RunOptions:
    """The options that hold for every file."""

    overwrite: bool = False
    side_by_side: bool = False
    """Whether to show a hazy picture to the left of the clear one."""
    auto: bool = False
    """Whether to leave a clear picture as it is."""
    video: VideoOptions | None = None
    """What to make of videos; None for the defaults."""


def run_job(
    job: Job,
    dehazer: Dehazer,
    options: RunOptions,
    on_frame: Callable[[int | None], None] | None = None,
) -> dict[str, Any]:
    """Dehazes one picture or video; returns what `--json` prints of it.

    Raises:
        InputError: the source cannot be read, or takes more memory than there is.
        OutputError: the target exists or cannot be written.
    """
    if not job.is_image:
        from .video import dehaze_video

        return run_video(job, partial(dehaze_video, dehazer=dehazer), options, on_frame)
    with _telling_the_file(job), finished_output(job.target, overwrite=options.overwrite) as path:
        run = PictureRun(job, options)
        run.decode()
        run.infer(dehazer)
        path.write_bytes(run.encode())
        return run.figures()


def run_video(
    job: Job,
    dehaze: VideoDehazer,
    options: RunOptions,
    on_frame: Callable[[int | None], None] | None = None,
) -> dict[str, Any]:
    """As `run_job`, for a video."""
    notices = Notices()
    with _telling_the_file(job), finished_output(job.target, overwrite=options.overwrite) as path:
        summary = dehaze(
            job.source, path, options=options.video, on_frame=on_frame, notices=notices
        )
        return {**_names(job), **summary.as_dict(), "notices": list(notices)}


class PictureRun:
    """The three steps of dehazing a picture; in a batch each runs in a thread of its own.

    Args:
        read: decodes the source; None for `pictures.read_picture`.

    Raises:
        InputError: the source cannot be read, or takes more memory than there is.
        OutputError: the target exists or cannot be written.
    """

    def __init__(self, job: Job, options: RunOptions, read: PictureReader | None = None) -> None:
        self.job = job
        self._options = options
        self._read = read
        self.notices = Notices()
        self._hazy: Picture | None = None
        self._clear: Picture | None = None
        self._size = (0, 0)
        self._haze: float | None = None
        self._times = {step: StageTimes() for step in ("decode", "inference", "encode")}

    def decode(self) -> None:
        """Reads the picture."""
        from ..media.pictures import read_picture

        read = self._read or read_picture
        with _telling_the_file(self.job), self._times["decode"].measure():
            self._hazy = read(self.job.source, self.notices)

    @property
    def bytes_held(self) -> int:
        """Bytes of the decoded pixels; from `infer` to `encode` as many are held again."""
        return self._hazy.rgb.nbytes if self._hazy else 0

    def infer(self, dehazer: Dehazer) -> None:
        """Dehazes what `decode` has read."""
        assert self._hazy is not None
        with _telling_the_file(self.job), self._times["inference"].measure():
            both, auto = self._options.side_by_side, self._options.auto
            self._clear, self._haze = dehaze_picture(
                self._hazy, dehazer, auto=auto, in_place=not both
            )

    def encode(self) -> memoryview:
        """The dehazed picture in the target's format; lets go of the pixels."""
        from ..media.pictures import encode_picture, pictures_side_by_side

        assert self._hazy is not None and self._clear is not None
        with _telling_the_file(self.job), self._times["encode"].measure():
            both = self._options.side_by_side
            shown = pictures_side_by_side(self._hazy, self._clear) if both else self._clear
            self._size = shown.rgb.shape[1], shown.rgb.shape[0]
            data = encode_picture(
                shown, self.job.target.suffix, in_place=True, notices=self.notices
            )
        self._hazy = self._clear = None
        return data

    def finish(self) -> dict[str, Any]:
        """Encodes and writes the target; returns what `--json` prints."""
        data = self.encode()
        with finished_output(self.job.target, overwrite=self._options.overwrite) as path:
            path.write_bytes(data)
        return self.figures()

    def figures(self) -> dict[str, Any]:
        """The figures for `--json`; the seconds are those of the steps, without waiting between."""
        seconds = sum(times.total_seconds for times in self._times.values())
        return {
            **_names(self.job),
            "frames": 1,
            "seconds": round(seconds, 3),
            "width": self._size[0],
            "height": self._size[1],
            **{f"{step}_ms": times.percentiles() for step, times in self._times.items()},
            "fps": round(1 / seconds, 2),
            "haze": None if self._haze is None else round(self._haze, 4),
            "notices": list(self.notices),
        }


def _names(job: Job) -> dict[str, Any]:
    return {"input": str(job.source), "output": str(job.target)}


@contextmanager
def _telling_the_file(job: Job) -> Iterator[None]:
    """Puts the source's name before a message that names neither source nor target."""
    try:
        yield
    except MemoryError as error:
        raise InputError(f"{job.source}: there is not enough memory for this file") from error
    except DehazeError as error:
        if str(job.source) in str(error) or str(job.target) in str(error):
            raise
        raise type(error)(f"{job.source}: {error}") from error
    except Exception as error:  # a decoder's own: it is this file's, and the others go on
        raise InputError(
            f"{job.source}: this file cannot be processed ({type(error).__name__}: "
            f"{one_line(error)})"
        ) from error


def dehaze_picture(
    picture: Picture, dehazer: Dehazer, *, auto: bool = False, in_place: bool = False
) -> tuple[Picture, float | None]:
    """Dehazes in the picture's own bit depth; alpha and metadata stay as they are.

    Args:
        auto: leave a clear picture as it is.
        in_place: write into the picture's own pixels, which saves as much memory as they take.

    Returns:
        The dehazed picture; and the haze meter, None for a model that gives no estimate.

    Raises:
        InputError: smaller than the model takes.
        ModelError: 16 bits a channel, and a model that gives no estimate.
    """
    stream = Stream(dehazer, StreamOptions(temporal=False, auto=auto))
    dehazed = stream(picture.rgb, out=picture.rgb if in_place else None)
    clear: NDArray[Any] = dehazed.pixels
    if picture.grey:
        clear = np.repeat(cv2.transform(clear, np.full((1, 3), 1 / 3))[..., None], 3, axis=2)
    return replace(picture, rgb=clear), dehazed.haze
