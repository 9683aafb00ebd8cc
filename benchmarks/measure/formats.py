"""Every form that a network can be exported to: made, and measured where it can run here."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, median

import numpy as np
from tqdm import tqdm

from dehaze.runtime.errors import DehazeError, one_line
from dehaze.runtime.isolated.program import python_program
from dehaze.runtime.model.shipped import MODELS_FOLDER, list_models, model_bytes
from dehaze.runtime.model.subgraph import estimator_from_model
from dehaze.runtime.trt.host import tensorrt_host
from dehaze.runtime.trt.options import LibraryName, using_library

from ..results.records import FormatRow, Model
from .browser import WEB_BUILD, BrowserMethod, missing_for_browser
from .datasets import Measured
from .latency import measure_latency
from .methods import about_method, open_method
from .quality.scores import measure_quality, psnr

__all__ = ["FORMATS", "Format", "Made", "make_formats", "measure_formats"]

RUN = "run"
IN_BROWSER = "browser"
_BROWSER_FRAMES = 24
_IS_ARM = platform.machine().lower() in ("arm64", "aarch64")


@dataclass(frozen=True)
class Format:
    """A form of a network, and what makes and runs it."""

    name: str
    arguments: tuple[str, ...] = ()
    """For dehaze-export."""
    ships_as: str = ""
    """The ending of the shipped file of this form, such as `.onnx`; empty where none ships."""
    library: LibraryName | None = None
    """What runs it where that is not ONNX Runtime."""
    remark: str = ""
    """What a reader of its figures should know."""


_INT8_X86 = "" if not _IS_ARM else "its types are for x86"
_INT8_ARM = "" if _IS_ARM else "its types are for Arm"
_TENSORRT = ("--target", "tensorrt")
_RTX = ("--engine", "--library", "rtx")
FORMATS = (
    Format("ONNX FP32", (), ".onnx"),
    Format("ONNX FP32, GridSample", ("--deform", "gridsample"), "-gridsample.onnx"),
    Format("ONNX FP16", ("--fp16",)),
    Format("ONNX INT8, x86", ("--int8",), remark=_INT8_X86),
    Format("ONNX INT8, Arm", ("--int8", "--target", "onnxruntime-arm"), remark=_INT8_ARM),
    Format("TensorRT FP32", _TENSORRT, library="tensorrt"),
    Format("TensorRT FP16", ("--fp16", *_TENSORRT), library="tensorrt"),
    Format("TensorRT INT8", ("--int8", *_TENSORRT), library="tensorrt"),
    Format("TensorRT-RTX FP32", _RTX, library="rtx"),
    Format("TensorRT-RTX FP16", ("--fp16", *_RTX), library="rtx"),
    Format("TensorRT-RTX INT8", ("--int8", *_RTX), library="rtx"),
    Format(IN_BROWSER),
)


@dataclass(frozen=True)
class Made:
    """A form that was made, or the reason why not."""

    form: Format
    file: Path | None
    problem: str = ""


def make_formats(
    model: str, folder: Path, calibration: Path | None, formats: Sequence[Format] = FORMATS
) -> list[Made]:
    """Makes all forms of a network, each in a folder of its own.

    Args:
        model: name of shipped weights or a checkpoint.
        folder: where to; it must be there.
        calibration: data for INT8; None for the ranges that ship.
    """
    made: list[Made] = []
    for number, form in enumerate(tqdm(formats, desc="exporting", disable=None, leave=False)):
        below = folder / str(number)  # models that lie beside each other stand in for each other
        below.mkdir()
        if form.name == IN_BROWSER:
            made.append(_estimator(made[0], form, below))
        elif form.ships_as and model in list_models():
            shipped = MODELS_FOLDER / f"{model}{form.ships_as}"
            made.append(Made(form, Path(shutil.copy(shipped, below))))
        else:
            made.append(_exported(model, form, below, calibration))
    return made


def _exported(model: str, form: Format, folder: Path, calibration: Path | None) -> Made:
    """Runs dehaze-export: torch and onnx stay out of this process."""
    arguments = [model, *form.arguments, "--out", str(folder)]
    if calibration and "--int8" in form.arguments:
        arguments += ["--data", str(calibration)]
    command = [*python_program("dehaze.export.cli"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    found = [*folder.glob("*.engine"), *folder.glob("*.onnx")]
    if done.returncode == 0 and found:
        return Made(form, found[0])
    last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return Made(form, found[0] if found else None, last.removeprefix("dehaze-export: "))


def _estimator(float32: Made, form: Format, folder: Path) -> Made:
    """The part of the float32 model that the page in the browser opens."""
    if float32.file is None:
        return Made(form, None, float32.problem)
    path = folder / "estimator.onnx"
    path.write_bytes(estimator_from_model(model_bytes(float32.file), str(float32.file)))
    return Made(form, path, missing_for_browser(float32.file))


def measure_formats(
    made: Sequence[Made], data: Measured, size: tuple[int, int], threads: int
) -> tuple[list[FormatRow], list[Model]]:
    """Measures the forms that can run here, and says of the others why they cannot.

    Args:
        data: pairs of hazy and clear pictures.
        size: (width, height) of the frames that are timed.
        threads: CPU threads.
    """
    rows = {one.form.name: _unmeasured(one) for one in made}
    paths: dict[str, str] = {}
    models = []
    for one in made:
        if rows[one.form.name].status != RUN:
            continue
        try:
            if one.form.name == IN_BROWSER:
                rows[IN_BROWSER] = _measured_in_browser(rows[IN_BROWSER], made[0], data, size)
                continue
            with open_method(str(one.file), threads) as method:
                scores = measure_quality(method, data)
                about = about_method(str(one.file), method)
        except DehazeError as error:
            rows[one.form.name] = replace(rows[one.form.name], status=_not_run(one_line(error)))
            continue
        paths[str(one.file)] = one.form.name
        models.append(replace(about, name=one.form.name, path=Path(about.path).name))
        remark = f"; {one.form.remark}" if one.form.remark else ""
        row = rows[one.form.name]
        rows[row.model] = replace(
            row, status=f"{RUN}{remark}", psnr_db=fmean(s.psnr_db for s in scores)
        )
    if paths:
        for model, timed in measure_latency(list(paths), size, threads, None, memory=False):
            name = paths[model.name]
            rows[name] = replace(rows[name], backend=model.backend, p50_ms=timed.p50_ms)
    return list(rows.values()), models


def _measured_in_browser(
    row: FormatRow, float32: Made, data: Measured, size: tuple[int, int]
) -> FormatRow:
    """The row with the figures of the page, whose time is not taken in turns with the others."""
    width, height = size
    frame = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    with BrowserMethod(WEB_BUILD) as method, open_method(str(float32.file)) as ours:
        scores = measure_quality(method, data)
        method.milliseconds.clear()
        for _ in range(_BROWSER_FRAMES):
            result = method(frame)
        spent = median(method.milliseconds[_BROWSER_FRAMES // 4 :])
        alike = psnr(result, ours(frame))
    status = (
        f"{RUN}; Chromium, {method.engine}, timed apart; {alike:.1f} dB to the timed frame of "
        f"{float32.form.name}"
    )
    mean = fmean(score.psnr_db for score in scores)
    return replace(row, status=status, psnr_db=mean, p50_ms=spent, backend="onnxruntime-web")


def _unmeasured(one: Made) -> FormatRow:
    """The row without figures; its status is `RUN` where it may get some."""
    size = one.file.stat().st_size if one.file else None
    if one.file is None:
        status = f"not exported: {one.problem}"
    elif one.form.library and (reason := _no_host(one.form.library)):
        engine = "engine built; " if one.file.suffix == ".engine" else ""
        status = f"{engine}{_not_run(reason)}"
    else:
        status = _not_run(one.problem) if one.problem else RUN
    return FormatRow(one.form.name, status, one.file.name if one.file else "", size)


def _not_run(reason: str) -> str:
    return f"not run: {reason}"


def _no_host(library: LibraryName) -> str:
    """The reason why TensorRT cannot run here, in a phrase; empty where it can."""
    try:
        with using_library(library):
            tensorrt_host()
    except DehazeError as error:
        return one_line(error).partition(" (")[0].partition(";")[0]
    return ""
