"""Finds the pictures of a folder and reads the boxes that belong to them.

    COCO            FOLDER/*.json or annotations/*.json          pictures anywhere below
    VOC, RTTS       Annotations/NAME.xml                         JPEGImages/NAME.png
    YOLO            labels/NAME.txt, data.yaml or classes.txt    images/NAME.jpg

Where hazy/ and clear/ hold the pictures, as `find_pairs` knows them, the boxes may have the name of
the hazy picture or of its clear one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import yaml

from dehaze.runtime.datasets.file_names import is_picture, natural_order
from dehaze.runtime.datasets.pairs import content_of, find_pairs, is_part
from dehaze.runtime.errors import InputError, one_line

__all__ = ["Box", "LabelledPicture", "LabelledPictures", "labelled_pictures", "read_names"]

_VOC_PICTURES = "jpegimages"
_NAME_FILES = ("classes.txt", "obj.names", "classes.names")
_WRONG = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""The errors that a file of another form gives."""


class Box(NamedTuple):
    """An object of the ground truth."""

    category: str
    left: float
    top: float
    width: float
    height: float
    ignored: bool = False
    """VOC's `difficult` and COCO's `iscrowd`: finding it counts neither for nor against."""


class LabelledPicture(NamedTuple):
    """A hazy picture and the objects that it shows."""

    hazy: Path
    clear: Path | None
    boxes: Sequence[Box]


@dataclass(frozen=True)
class LabelledPictures:
    """The labelled pictures of a folder."""

    layout: str
    """`COCO boxes`, `VOC boxes` or `YOLO boxes`."""
    categories: Sequence[str]
    """Names; numbers as text where a YOLO set does not name its classes."""
    pictures: Sequence[LabelledPicture]
    relative: bool
    """True if the boxes are in shares of the picture's sides, False if they are in pixels."""
    files: Sequence[Path]
    """The files that hold the boxes."""
    left_out: Sequence[str]
    """The pictures and boxes that cannot be used, in words."""


class _Labels(NamedTuple):
    """The boxes of a whole set."""

    layout: str
    categories: list[str]
    boxes: dict[str, list[Box]]
    """By the picture's name without its ending."""
    files: list[Path]


def labelled_pictures(folder: Path) -> LabelledPictures:
    """Finds pictures and boxes. No picture is decoded yet.

    Raises:
        InputError: no pictures or no boxes, boxes that cannot be read, a name twice.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: expected a folder of labelled pictures, got no such folder")
    labels = _labels(folder)
    found, unlabelled = [], 0
    for hazy, clear in _pictures(folder):
        names = (hazy.stem, clear.stem if clear else hazy.stem)
        boxes = next((labels.boxes[name] for name in names if name in labels.boxes), None)
        if boxes is None and labels.layout == "YOLO boxes":
            boxes = []  # as ultralytics has it: a picture without a file shows no objects
        if boxes is None:
            unlabelled += 1
        else:
            found.append(LabelledPicture(hazy, clear, [box for box in boxes if _has_area(box)]))
    if not any(picture.boxes for picture in found):
        raise InputError(
            f"{folder}: expected pictures of the same names as their boxes, got {labels.layout} "
            f"for {', '.join([*labels.boxes][:2])} and {unlabelled + len(found)} other pictures"
        )
    flat = sum(not _has_area(box) for boxes in labels.boxes.values() for box in boxes)
    left_out = [f"{unlabelled} pictures without boxes"] if unlabelled else []
    left_out += [f"{flat} boxes without area"] if flat else []
    return LabelledPictures(
        *(labels.layout, labels.categories, found, labels.layout == "YOLO boxes"),
        *(labels.files, left_out),
    )


def _has_area(box: Box) -> bool:
    return box.width > 0 and box.height > 0


def _pictures(folder: Path) -> list[tuple[Path, Path | None]]:
    """Hazy pictures with their clear ones, or pictures alone, by name."""
    inside = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    try:
        return [(pair.hazy, pair.clear) for pair in find_pairs(folder)]
    except InputError:
        if sum(is_part(path.name) for path in inside) > 1:  # hazy/ and clear/ that do not match
            raise
        parts = (p for p in inside if is_part(p.name) or p.name.lower() == _VOC_PICTURES)
        root = next(parts, folder)
    files = [path for path in root.rglob("*") if is_picture(path.name) and path.is_file()]
    by_name: dict[str, Path] = {}
    for path in sorted(files):
        if (first := by_name.setdefault(path.stem, path)) is not path:
            raise InputError(f"{path}: expected each name once, got {first} too")
    if not files:
        raise InputError(f"{folder}: expected pictures, got {content_of(folder)}") from None
    return [(by_name[stem], None) for stem in sorted(by_name, key=natural_order)]


def _labels(folder: Path) -> _Labels:
    for pattern, read in _READERS.items():
        files = [path for path in sorted(folder.rglob(pattern)) if path.is_file()]
        if found := read(folder, files) if files else None:
            return found
    raise InputError(
        f"{folder}: expected boxes as COCO's .json, VOC's Annotations/*.xml or YOLO's "
        f"labels/*.txt, got {content_of(folder)}"
    )


def _coco(_: Path, files: Sequence[Path]) -> _Labels | None:
    found: list[tuple[Path, Any]] = []
    for path in files:
        with _blamed_on(path):
            document = json.loads(path.read_text("utf-8"))
        if isinstance(document, dict) and document.keys() >= {"images", "annotations"}:
            found.append((path, document))
    if not found:
        return None
    if len(found) > 1:
        raise InputError(f"{found[1][0]}: expected one COCO file, got {found[0][0]} too")
    path, document = found[0]
    with _blamed_on(path):
        names = {one["id"]: str(one["name"]) for one in document["categories"]}
        stems = {one["id"]: Path(one["file_name"]).stem for one in document["images"]}
        boxes: dict[str, list[Box]] = {stem: [] for stem in stems.values()}
        for one in document["annotations"]:
            left, top, width, height = (float(value) for value in one["bbox"])
            crowd = bool(one.get("iscrowd", 0))
            box = Box(names[one["category_id"]], left, top, width, height, crowd)
            boxes[stems[one["image_id"]]].append(box)
    return _Labels("COCO boxes", list(dict.fromkeys(names.values())), boxes, [path])


def _voc(_: Path, files: Sequence[Path]) -> _Labels | None:
    boxes: dict[str, list[Box]] = {}
    used = []
    for path in files:
        with _blamed_on(path):
            root = ElementTree.parse(path).getroot()
            if root.tag == "annotation":
                boxes[path.stem] = [_voc_box(one) for one in root.iter("object")]
                used.append(path)
    names = sorted({box.category for found in boxes.values() for box in found})
    return _Labels("VOC boxes", names, boxes, used) if used else None


def _voc_box(element: ElementTree.Element) -> Box:
    """VOC counts pixels from 1, and `xmax` and `ymax` are the last ones inside."""
    left, top, right, bottom = (
        float(element.findtext(f"bndbox/{side}") or "") for side in ("xmin", "ymin", "xmax", "ymax")
    )
    difficult = (element.findtext("difficult") or "0").strip() == "1"
    name = (element.findtext("name") or "").strip()
    return Box(name, left - 1, top - 1, right - left + 1, bottom - top + 1, difficult)


def _yolo(folder: Path, files: Sequence[Path]) -> _Labels | None:
    below = [path for path in files if "labels" in path.relative_to(folder).parts[:-1]]
    files = below or [path for path in files if path.name not in _NAME_FILES]
    names = _yolo_names(folder)
    boxes: dict[str, list[Box]] = {}
    used = []
    for path in files:
        with _blamed_on(path):
            lines = [line.split() for line in path.read_text("utf-8").splitlines() if line.strip()]
            if not below and not all(len(line) == 5 for line in lines):
                continue  # a README or the like beside the pictures
            boxes[path.stem] = [_yolo_box(line, names) for line in lines]
            used.append(path)
    every = {box.category for found in boxes.values() for box in found}
    categories = list(dict.fromkeys(names)) or sorted(every, key=natural_order)
    return _Labels("YOLO boxes", categories, boxes, used) if every else None


def _yolo_box(line: Sequence[str], names: Sequence[str]) -> Box:
    """`CLASS X Y WIDTH HEIGHT`: the middle and the sides as shares of the picture's sides."""
    x, y, width, height = (float(value) for value in line[1:])
    number = int(line[0])
    if number < 0 or (names and number >= len(names)):
        raise ValueError(f"class {number} of {len(names)}")
    category = names[number] if names else str(number)
    return Box(category, x - width / 2, y - height / 2, width, height)


def _yolo_names(folder: Path) -> list[str]:
    """The names of the classes, by number; empty where no file gives them."""
    for path in sorted((*folder.glob("*.yaml"), *folder.glob("*.yml"))):
        with _blamed_on(path):
            document = yaml.safe_load(path.read_text("utf-8"))
            if isinstance(document, dict) and (names := document.get("names")):
                ordered = (
                    [names[key] for key in sorted(names)] if isinstance(names, dict) else names
                )
                return [str(name) for name in ordered]
    places = [folder / inner / name for inner in ("", "labels") for name in _NAME_FILES]
    return next((read_names(path) for path in places if path.is_file()), [])


def read_names(path: Path) -> list[str]:
    """The names of classes in a text file, one a line.

    Raises:
        InputError: it cannot be read.
    """
    with _blamed_on(path):
        return [line.strip() for line in path.read_text("utf-8").splitlines() if line.strip()]


@contextmanager
def _blamed_on(path: Path) -> Iterator[None]:
    """Turns what goes wrong in a file of boxes into one line that names the file."""
    try:
        yield
    except (*_WRONG, ElementTree.ParseError, yaml.YAMLError) as error:
        raise InputError(
            f"{path}: expected boxes or names of classes, got something else "
            f"({type(error).__name__}: {one_line(error)[:120]})"
        ) from error


_READERS: dict[str, Callable[[Path, Sequence[Path]], _Labels | None]] = {
    "*.json": _coco,
    "*.xml": _voc,
    "*.txt": _yolo,
}
