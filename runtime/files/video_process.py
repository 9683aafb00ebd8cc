"""Dehazes videos in a process of its own: one that crashes FFmpeg costs that video, not the batch.

The process opens the model once, and again behind a crash. Its memory is not limited, for GPUs
take addresses without number; where there is no more, the kernel ends it first.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..compiled import tell_of_compiling
from ..dehazer import Dehazer, open_dehazer
from ..errors import DehazeError, InputError
from ..isolated.process import IsolatedProcess, be_quiet, limit_seconds, serve
from ..media.notices import Notices

if TYPE_CHECKING:
    from .video import VideoOptions, VideoSummary  # with FFmpeg, which only the process needs

__all__ = ["VideoProcess", "serve_tasks"]

_SECONDS_A_FRAME = 1200
"""Processor time from one frame to the next, on all cores: far above any of 8192x8192."""
_COMPILING = "compiling"
"""The progress that is no number of frames."""


class VideoProcess(IsolatedProcess):
    """Dehazes one video after the other, in a process that begins with `open` or the first one.

    A context manager.

    Args:
        on_compiling: called when the process begins to compile loops, which takes seconds.
        model: the arguments of `open_dehazer`.
    """

    def __init__(self, on_compiling: Callable[[], None] | None = None, **model: Any) -> None:
        super().__init__(__name__, "dehazes videos")
        self._on_compiling = on_compiling
        self._model = model

    def open(self) -> str:
        """Starts the process and opens the model in it; returns `Dehazer.backend`.

        Raises:
            DehazeError: as `open_dehazer`, or the system has no room for another process.
        """
        self.start()
        try:
            backend: str = self.ask(self._model)
        except InputError as error:  # of no file: there is none yet
            raise DehazeError("the process that dehazes videos ended with the model") from error
        except BaseException:
            self.close()  # not to be taken for one that is ready
            raise
        return backend

    def dehaze(
        self,
        source: Path,
        target: Path,
        options: VideoOptions | None,
        on_frame: Callable[[int | None], None] | None,
        notices: Notices,
    ) -> VideoSummary:
        """As `video.dehaze_video`.

        Raises:
            InputError: also for a video at which the process crashes, or never ends.
            MemoryError: the video needs more than there is.
        """
        if not self.is_running:
            self.open()

        def on_progress(progress: Any) -> None:
            if progress != _COMPILING:
                if on_frame:
                    on_frame(progress)
            elif self._on_compiling:
                self._on_compiling()

        summary, said = self.ask((source, target, options), on_progress)
        for words in said:
            notices.add(words)
        return summary  # type: ignore[no-any-return]


def serve_tasks() -> None:
    """What the process does: opens a model, then dehazes the videos whose names come in."""
    serve(_Worker().answer)


class _Worker:
    """Holds the model from one video to the next."""

    def __init__(self) -> None:
        self._dehazer: Dehazer | None = None

    def answer(self, task: Any, tell: Callable[[Any], None]) -> Any:
        if self._dehazer is None:
            self._dehazer = open_dehazer(**task)
            be_quiet()
            return self._dehazer.backend
        from .video import dehaze_video

        def on_frame(expected: int | None) -> None:
            limit_seconds(_SECONDS_A_FRAME)
            tell(expected)

        source, target, options = task
        tell_of_compiling(lambda: tell(_COMPILING))
        notices = Notices()
        limit_seconds(_SECONDS_A_FRAME)
        summary = dehaze_video(source, target, self._dehazer, options, on_frame, notices)
        return summary, list(notices)
