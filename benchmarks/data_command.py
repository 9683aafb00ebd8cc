"""`dehaze-bench data`: which data sets a folder holds, and whether they can be used as they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from dehaze.runtime.datasets.border import border_of
from dehaze.runtime.datasets.data_sets import KNOWN, DataSet, find_data_sets, known_data_set
from dehaze.runtime.datasets.file_names import pictures_in
from dehaze.runtime.datasets.pairs import DepthScene, HazyPair, content_of, is_part
from dehaze.runtime.errors import DehazeError, InputError, one_line
from dehaze.runtime.media.headers.picture_header import announced_size
from dehaze.runtime.media.pictures import read_picture

__all__ = ["Finding", "check_data", "survey"]

Size = tuple[int, int]
"""(height, width)."""


@dataclass(frozen=True)
class Finding:
    """The content of one folder."""

    folder: Path
    data_set: DataSet | None
    """The data set; None for one that cannot be used."""
    sizes: Sequence[Size] = ()
    """The sizes of the hazy pictures, of clear ones with depth or of photographs; each once, by
    area."""
    problem: str = ""

    def __str__(self) -> str:
        """A line of text, and a second one where something is wrong."""
        lines = [f"{self.folder}: {', '.join(self._words())}"]
        if self.problem:
            lines.append(f"  problem: {self.problem}")
        return "\n".join(lines)

    def _words(self) -> Iterator[str]:
        if self.data_set is None:
            yield "cannot be used"
            return
        yield self.data_set.layout
        count = len(self.data_set.files)
        if pairs := self.data_set.pairs:
            yield f"{count} hazy pictures of {len({pair.clear for pair in pairs})} scenes"
        else:
            yield f"{count} pictures"
        if self.sizes:
            ends = dict.fromkeys((self.sizes[0], self.sizes[-1]))
            yield " to ".join(f"{width}x{height}" for height, width in ends)
        if self.data_set.layout.startswith("SOTS"):
            yield "RESIDE's test half, not to be trained on"
        elif self.data_set.kind == "unpaired":
            yield "never trained on, dehaze-train measures artefacts on them"
        else:
            spread = self.data_set.kind == "photographs"
            which = "of them, spread" if spread else "at the end"
            yield f"dehaze-train holds out {self.data_set.held_out} {which}"


def check_data(folder: Path) -> None:
    """Prints a line for every data set in a folder or below.

    Raises:
        InputError: there is none, or one that cannot be used as it is.
    """
    found = survey(folder)
    if not found:
        raise InputError(
            f"{folder}: expected pictures, hazy/ with clear/ or GT/, or image/ with depth/, "
            f"got {content_of(folder)}; see docs/data.md"
        )
    checked = []
    for finding in found:
        checked.append(_checked(finding))
        print(checked[-1], flush=True)
    if broken := [finding for finding in checked if finding.problem]:
        raise InputError(f"{len(broken)} of {len(checked)} data sets cannot be used as they are")


def survey(folder: Path) -> list[Finding]:
    """The data sets of a folder and of those below it. Nothing is decoded yet."""
    if not folder.is_dir():
        return []
    below = sorted(path for path in folder.iterdir() if path.is_dir())
    below = [path for path in below if not path.name.startswith((".", "__MACOSX"))]
    if pictures_in(folder) or any(is_part(path.name) for path in below):
        return [_found(folder)]
    found: list[Finding] = []
    for path in below:
        found += [_found(path)] if path.name in KNOWN else survey(path)
    if found and all(one.data_set and one.data_set.layout == "BeDDE" for one in found):
        return [_found(folder)]  # its cities are one data set
    return found


def _found(folder: Path) -> Finding:
    try:
        found = known_data_set(folder) if folder.name in KNOWN else find_data_sets(folder)[0]
    except InputError as error:
        return Finding(folder, None, problem=str(error))
    return Finding(folder, found)


def _checked(finding: Finding) -> Finding:
    """Adds the sizes of the files, read from their headers, and what does not fit."""
    if finding.data_set is None:
        return finding
    sizes: set[Size] = set()
    problems: list[str] = []
    for files in _progress(finding.data_set.files):
        try:
            sizes.add(_size_of(files))
        except DehazeError as error:
            problems.append(one_line(error))
    others = f", and {len(problems) - 1} others" if len(problems) > 1 else ""
    by_area = sorted(sizes, key=lambda size: size[0] * size[1])
    return Finding(
        finding.folder, finding.data_set, by_area, f"{problems[0]}{others}" if problems else ""
    )


def _progress(
    files: Sequence[HazyPair] | Sequence[DepthScene] | Sequence[Path],
) -> Iterable[HazyPair | DepthScene | Path]:
    return tqdm(files, unit="picture", disable=None, leave=False)


def _size_of(files: HazyPair | DepthScene | Path) -> Size:
    """The size of a picture, which that of its partner must fit.

    Raises:
        InputError: it does not, or a file cannot be read.
    """
    if isinstance(files, HazyPair):
        size = _size(files.hazy)
        border_of(_size(files.clear), size, files)
        return size
    if isinstance(files, DepthScene):
        size, depth = _size(files.clear), _size(files.depth)
        if size != depth:
            raise InputError(
                f"{files.depth}: expected one depth per pixel of {files.clear.name}, "
                f"{size[1]}x{size[0]}, got {depth[1]}x{depth[0]}"
            )
        return size
    return _size(files)


def _size(path: Path) -> Size:
    try:
        announced = announced_size(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({one_line(error)})") from error
    if announced:
        return announced[1], announced[0]
    height, width = read_picture(path).rgb.shape[:2]  # formats whose header is not read
    return height, width
