"""Turns INPUT and OUTPUT of the command line into jobs: which file becomes which."""

from __future__ import annotations

import functools
import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError, OutputError, UsageError, one_line
from ..media.formats import IMAGE_SUFFIXES, VIDEO_SUFFIXES

__all__ = ["Job", "Jobs", "plan_jobs", "split_paths"]


_DONE_ELSEWHERE = "it links to a folder that is done under another name"
_NO_FILE = "it is no file but a pipe, socket or device"


@dataclass(frozen=True)
class Job:
    """A file to dehaze, and the file to write."""

    source: Path
    target: Path

    @property
    def is_image(self) -> bool:
        return self.source.suffix.lower() in IMAGE_SUFFIXES


@dataclass(frozen=True)
class Jobs:
    """The jobs of a command."""

    jobs: list[Job]
    is_batch: bool
    """True for a folder or a glob: existing outputs are skipped, and a failure stops no others."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """Folders that cannot be listed, and the reasons."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Links to folders that are done under another name, pipes and the like, and the reasons."""


def split_paths(paths: Sequence[str]) -> tuple[list[str], str | None]:
    """The inputs and the output among the names on a command line, as a shell expands them.

    The last of several names is the output where it is a folder or nothing is there yet; a file
    that exists is an input, so that none is ever written over for its place alone.
    """
    *others, last = paths
    if others and (_is_folder(last) or last.endswith("/") or not _is_there(last)):
        return others, last
    return list(paths), None


def _is_folder(name: str) -> bool:
    return os.path.isdir(name)  # noqa: PTH112  # pathlib's raises at names too long


def _is_there(name: str) -> bool:
    return os.path.lexists(name) or glob.has_magic(name)


def plan_jobs(
    sources: str | Sequence[str],
    output: str | None,
    suffix: str,
    *,
    recursive: bool = False,
) -> Jobs:
    """Resolves a file, a folder or a glob, or several of them.

    Outputs land beside a file or a glob's files, with `suffix` in their name, and for a folder in
    a folder beside it, unless `output` names another place. With `recursive` the folders in a
    folder are done too, into folders of the same names.

    Raises:
        InputError: nothing there, or not readable.
        OutputError: an output would replace an input or another output.
        UsageError: no name for the outputs can be made, or `recursive` without a folder.
    """
    if Path(suffix).name != suffix and suffix:
        raise UsageError(f"a suffix is a part of a name, got {suffix!r}")
    sources = [sources] if isinstance(sources, str) else sources
    if len(sources) > 1:
        plan = _several_jobs(sources, output, suffix, recursive)
    else:
        plan = _jobs_of(sources[0], output, suffix, recursive)
    if not plan.jobs and not plan.unreadable:
        raise InputError(f"{' '.join(sources)}: expected pictures or videos, found none")
    _check_targets(plan.jobs)
    return plan


def _jobs_of(source: str, output: str | None, suffix: str, recursive: bool) -> Jobs:
    try:
        return _found_jobs(source, output, suffix, recursive)
    except OSError as error:
        raise InputError(f"{source}: cannot be read ({one_line(error)})") from error


def _several_jobs(sources: Sequence[str], output: str | None, suffix: str, recursive: bool) -> Jobs:
    """The jobs of several names; results of an earlier run among them are left out."""
    if output and not _is_folder(output) and _has_media_name(Path(output).name):
        raise UsageError(
            f"{output}: expected a folder for the results of {len(sources)} inputs; "
            f"or is it an input that is not there?"
        )
    jobs: list[Job] = []
    unreadable: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for source in dict.fromkeys(sources):
        is_folder = _is_folder(source)
        if not is_folder and suffix and Path(source).stem.endswith(suffix):
            continue
        into = f"{output}/{Path(source).resolve().name}" if output and is_folder else output
        folder = f"{into}/" if into and not is_folder else into
        found = _jobs_of(source, folder, suffix, recursive and is_folder)
        jobs += found.jobs
        unreadable |= found.unreadable
        left_out |= found.left_out
    return Jobs(jobs, True, unreadable, left_out)


def _check_targets(jobs: list[Job]) -> None:
    """Raises OutputError where a file would be written over an input or written twice."""

    @functools.cache
    def real_folder(folder: str) -> str:
        return os.path.realpath(folder)

    def real(path: Path) -> str:  # strings: of 10 000 paths in a quarter of the time
        folder, name = os.path.split(path)
        return f"{real_folder(folder)}/{name}"

    sources = {real(job.source) for job in jobs}
    there = [job for job in jobs if os.path.lexists(job.target)]
    inputs = {_file(job.source) for job in jobs} - {None} if there else set()
    for job in there:  # also through links of both kinds, and where case does not matter
        if (file := _file(job.target)) in inputs:
            itself = "the input itself" if file == _file(job.source) else "another input"
            raise OutputError(f"{job.target} is {itself}; name another output")
    targets: set[str] = set()
    for job in jobs:
        is_link = os.path.islink(job.target)  # noqa: PTH114  # pathlib's raises at names too long
        target = os.path.realpath(job.target) if is_link else real(job.target)
        if target in sources:  # an input that has vanished
            raise OutputError(f"{job.target} is another input; name another output")
        if target in targets:
            raise OutputError(f"several inputs would become {job.target}; dehaze them one by one")
        targets.add(target)


def _file(path: Path) -> tuple[int, int] | None:
    """What tells a file from others under whatever name; None where there is none."""
    try:
        return _identity(path)
    except OSError:
        return None


def _found_jobs(source: str, output: str | None, suffix: str, recursive: bool) -> Jobs:
    path = Path(source)
    if path.is_dir():
        folder = Path(output) if output else _folder_beside(path.resolve(), suffix)
        plan = Jobs([], True)
        plan.jobs.extend(_jobs_below(path, folder, recursive, plan))
        return plan
    if recursive:
        raise UsageError(f"--recursive expects a folder, got {source}; a glob may hold **")
    if path.exists():
        return Jobs([Job(path, _single_target(path, output, suffix))], False)
    if not glob.has_magic(source):
        raise InputError(f"{source}: no such file or folder")
    found = [Path(p) for p in sorted(glob.glob(source, recursive=True))]  # noqa: PTH207  # any path
    found = [p for p in found if _has_media_name(p.name) and not _is_folder(str(p))]
    found = [p for p in found if not (suffix and p.stem.endswith(suffix))]
    files = [p for p in found if _may_be_file(p)]
    left_out = dict.fromkeys(map(str, sorted(set(found) - set(files))), _NO_FILE)
    into = Path(output) if output else None
    jobs = [Job(p, _beside(p, into or p.parent, suffix)) for p in files]
    return Jobs(jobs, True, left_out=left_out)


def _jobs_below(source: Path, target: Path, recursive: bool, plan: Jobs) -> Iterator[Job]:
    """The media files of a folder in order of their names, then those of the folders in it.

    Links are followed, to every folder once: ten folders full of links to one another have ten
    million paths. A folder is entered neither from itself nor where it is the output.

    Args:
        plan: takes the folders that are left out.
    """
    linked: set[tuple[int, int]] = set()
    around = {_identity(source)} | ({_identity(target)} if target.is_dir() else set())
    waiting = [(source, target, around)]
    while waiting:
        folder, into, around = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            if folder == source:
                raise
            plan.unreadable[str(folder)] = f"{folder}: cannot be read ({one_line(error)})"
            continue
        inner = []
        for entry in listed:
            if _leads_to_folder(entry):
                if not recursive or entry.name.startswith("."):
                    continue
                inside = Path(entry.path)
                try:
                    identity = _identity(inside)
                except OSError as error:  # a path longer than the system takes
                    plan.unreadable[entry.path] = f"{inside}: cannot be read ({one_line(error)})"
                    continue
                if identity not in around and identity not in linked:
                    linked |= {identity} if entry.is_symlink() else set()
                    inner.append((inside, into / entry.name, around | {identity}))
                elif entry.is_symlink():
                    plan.left_out[entry.path] = _DONE_ELSEWHERE
            elif _has_media_name(entry.name):
                if _may_be_file(entry):
                    yield Job(Path(entry.path), into / entry.name)
                else:
                    plan.left_out[entry.path] = _NO_FILE
        waiting.extend(reversed(inner))


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _may_be_file(found: os.DirEntry[str] | Path) -> bool:
    """A file, or a link that leads nowhere: its failure is told. No pipe, which may never end."""
    try:
        return found.is_file() or (found.is_symlink() and not Path(found).exists())
    except OSError:
        return True


def _has_media_name(name: str) -> bool:
    hidden = name.startswith(".")  # our own unfinished files, among others
    return not hidden and Path(name).suffix.lower() in IMAGE_SUFFIXES | VIDEO_SUFFIXES


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
