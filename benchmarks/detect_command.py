"""`dehaze-bench detect`: what a detector finds in hazy pictures, before and after dehazing."""

from __future__ import annotations

import argparse
import hashlib
from contextlib import ExitStack
from pathlib import Path

from .measure.detection.detector import Detector
from .measure.detection.labels import LabelledPictures, labelled_pictures
from .measure.detection.rows import (
    DETECTION_PROTOCOL,
    SharedClasses,
    Side,
    measure_detection,
    shared_classes,
)
from .measure.methods import about_method, expect_different, open_method
from .measure.surroundings import data_of, machine, now
from .results.differences import gain
from .results.file import write_result
from .results.records import DetectionRow, Model, Result

__all__ = ["run_detect"]

UNTOUCHED = "none"
"""The method that leaves pictures as they are, the first of every result."""


def run_detect(options: argparse.Namespace, command: str) -> None:
    """Measures every method on hazy and on clear pictures, prints and writes the file of --json.

    Raises:
        InputError: no labelled pictures, or some that cannot be read.
        ModelError: a method or a detector that cannot be opened or run.
        UsageError: a method twice, or no class that detector and data share.
    """

    def say(line: str) -> None:
        if options.json != "-":
            print(line, flush=True)

    created = now()
    expect_different(options.models)
    arguments = [UNTOUCHED, *(name for name in options.models if name != UNTOUCHED)]
    labelled = labelled_pictures(options.data)
    detector = Detector(options.detector, options.names, options.threads)
    classes = shared_classes(detector, labelled)
    for line in _about(options.data, labelled, classes):
        say(line)
    sides: list[Side] = ["hazy"]
    if any(picture.clear for picture in labelled.pictures):
        sides.append("clear")
    rows: list[DetectionRow] = []
    with ExitStack() as opened:
        # All of them first: a typing mistake in the last is told before minutes of measuring.
        methods = {
            name: opened.enter_context(open_method(name, options.threads)) for name in arguments
        }
        for side in sides:
            untouched = None
            for argument, method in methods.items():
                row = measure_detection(argument, method, detector, labelled, classes, side)
                untouched = untouched or row
                rows.append(row)
                say(_line(row, untouched))
        models = [about_method(argument, method) for argument, method in methods.items()]
    about = _about_detector(options.detector)
    protocol = {"detector": f"{about.name}, SHA-256 {about.sha256}", **DETECTION_PROTOCOL}
    if options.json:
        result = Result(
            kind="detection",
            created=created,
            command=command,
            machine=machine(),
            models=[about, *models],
            data=data_of(options.data, _files(labelled), labelled.layout),
            protocol=protocol,
            results=rows,
        )
        write_result(result, options.json)


def _about(folder: Path, labelled: LabelledPictures, classes: SharedClasses) -> list[str]:
    boxes = [box for picture in labelled.pictures for box in picture.boxes]
    lines = [
        f"{folder}: {labelled.layout}, {len(labelled.pictures)} hazy pictures, {len(boxes)} "
        f"objects; measured: {', '.join(classes.names)}"
    ]
    if classes.left_out:
        lines.append(f"left out: {', '.join(classes.left_out)}, which the detector does not know")
    return lines + [f"left out: {words}" for words in labelled.left_out]


def _about_detector(path: Path) -> Model:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return Model(
        path.name,
        str(path),
        digest,
        "",
        0,
        len(content),
        "onnxruntime",
        "the detector of --detector",
    )


def _files(labelled: LabelledPictures) -> set[Path]:
    pictures = [(picture.hazy, picture.clear) for picture in labelled.pictures]
    return {path for pair in pictures for path in pair if path} | {*labelled.files}


def _line(row: DetectionRow, untouched: DetectionRow) -> str:
    parts = []
    for key, name in (("map", "mAP 0.5:0.95"), ("map50", "mAP 0.5")):
        words = f"{name} {_number(row.means[key])} {_span(row.intervals[key])}"
        if row is not untouched and (change := gain(untouched, row, key)):
            words += f", change {change.mean:+.3f} {_span(change.interval, '+.3f')}"
        parts.append(words)
    name = "as they are" if row is untouched else row.model
    return f"{row.pictures} {row.side} pictures, {name}: {'; '.join(parts)}"


def _number(value: float | None, form: str = ".3f") -> str:
    return format(value, form) if value is not None else "\N{EN DASH}"


def _span(limits: list[float | None], form: str = ".3f") -> str:
    return f"({' to '.join(_number(limit, form) for limit in limits)})"
