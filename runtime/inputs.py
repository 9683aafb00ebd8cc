"""What an INPUT and OUTPUT on the command line stand for: which files become which."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from pathlib import Path

from .errors import InputError, OutputError, UsageError

__all__ = ["IMAGE_SUFFIXES", "VIDEO_SUFFIXES", "Job", "Jobs", "plan_jobs"]

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg"}
)


@dataclass(frozen=True)
class Job:
    """One file to dehaze into another."""

    source: Path
    target: Path

    @property
    def is_image(self) -> bool:
        return self.source.suffix.lower() in IMAGE_SUFFIXES


@dataclass(frozen=True)
class Jobs:
    """What one command has to do."""

    jobs: list[Job]
    is_batch: bool
    """A folder or a glob: existing outputs are skipped, a failure does not stop the others."""


def plan_jobs(source: str, output: str | None, suffix: str) -> Jobs:
    """Resolves a file, a folder or a glob.

    Outputs land beside a file or a glob's files, with `suffix` in their name, and for a folder in
    a folder beside it, unless `output` names another place.

    Raises:
        InputError: nothing there, or not readable.
        OutputError: an output would replace its own input or another output.
        UsageError: no name for the outputs can be made.
    """
    if Path(suffix).name != suffix and suffix:
        raise UsageError(f"a suffix is a part of a name, got {suffix!r}")
    try:
        jobs, is_batch = _found_jobs(source, output, suffix)
    except OSError as error:
        raise InputError(f"{source}: cannot be read ({error.strerror})") from error
    if not jobs:
        raise InputError(f"{source}: expected pictures or videos, found none")
    targets: set[Path] = set()
    for job in jobs:
        target = job.target.absolute()
        if target == job.source.absolute():
            raise OutputError(f"{job.target} is the input itself; name another output")
        if target in targets:
            raise OutputError(f"several inputs would become {job.target}; dehaze them one by one")
        targets.add(target)
    return Jobs(jobs, is_batch)


def _found_jobs(source: str, output: str | None, suffix: str) -> tuple[list[Job], bool]:
    """The jobs, and whether they are a batch."""
    path = Path(source)
    if path.is_dir():
        folder = Path(output) if output else _folder_beside(path.resolve(), suffix)
        found = [p for p in sorted(path.iterdir()) if _is_media(p)]
        return [Job(p, folder / p.name) for p in found], True
    if path.exists():
        return [Job(path, _single_target(path, output, suffix))], False
    if not glob.has_magic(source):
        raise InputError(f"{source}: no such file or folder")
    found = [Path(p) for p in sorted(glob.glob(source, recursive=True))]  # noqa: PTH207  # any path
    found = [p for p in found if _is_media(p) and not (suffix and p.stem.endswith(suffix))]
    return [Job(p, _beside(p, Path(output) if output else p.parent, suffix)) for p in found], True


def _folder_beside(folder: Path, suffix: str) -> Path:
    if not folder.name or not suffix:
        raise UsageError(f"name an output folder for {folder}")
    return folder.with_name(folder.name + suffix)


def _single_target(source: Path, output: str | None, suffix: str) -> Path:
    if output is None:
        return _beside(source, source.parent, suffix)
    if output.endswith("/") or Path(output).is_dir():
        return _beside(source, Path(output), suffix)
    return Path(output)


def _beside(source: Path, folder: Path, suffix: str) -> Path:
    return folder / f"{source.stem}{suffix}{source.suffix}"


def _is_media(path: Path) -> bool:
    ending = path.suffix.lower()
    hidden = path.name.startswith(".")  # our own unfinished files, among others
    return path.is_file() and not hidden and ending in IMAGE_SUFFIXES | VIDEO_SUFFIXES
