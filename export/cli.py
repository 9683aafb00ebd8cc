"""dehaze-export: a checkpoint to a model file that dehaze-run takes, or to a TensorRT engine."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dehaze.runtime.command import positive_float, positive_int, run_command
from dehaze.runtime.errors import GateError, InputError, UsageError, one_line

if TYPE_CHECKING:
    from dehaze.runtime.trt.options import EngineOptions

EPILOG = """examples:
  dehaze-export --fp16
  dehaze-export runs/edge/edge.safetensors --int8 --target onnxruntime tensorrt
  dehaze-export --fp16 --engine --library rtx
  dehaze-export edge-fp16-tensorrt.onnx --engine --shapes 640x480 1280x720 1920x1080

An engine of an .onnx file needs neither torch nor onnx. TensorRT builds on the device, for its GPU;
TensorRT-RTX on any x86-64 machine, for every desktop GPU since Ampere.
"""


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dehaze-export",
        description="Export a trained network as an ONNX model that takes and returns uint8 RGB\n"
        "pixels of any size, and check that it computes what torch computes. On a device\n"
        "with TensorRT, build an engine of the model.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "model",
        nargs="?",
        default="edge",
        help="name of a network with shipped weights (default: %(default)s) or a checkpoint that "
        "dehaze-train wrote; with --random-weights, the name of any network; with --engine or "
        "--lint, an .onnx file",
    )
    parser.add_argument(
        "--out", type=Path, default=Path(), help="folder for the results (default: the current one)"
    )
    _add_graph_options(parser.add_argument_group("ONNX model"))
    _add_data_options(parser.add_argument_group("pictures for --int8 and --validate"))
    _add_engine_options(parser.add_argument_group("TensorRT"))
    return parser


def _add_graph_options(group: argparse._ArgumentGroup) -> None:
    precision = group.add_mutually_exclusive_group()
    precision.add_argument(
        "--fp16", action="store_true", help="store and compute in half precision"
    )
    precision.add_argument(
        "--int8",
        action="store_true",
        help="compute with 8-bit integers, after a calibration on --data",
    )
    group.add_argument(
        "--target",
        nargs="+",
        choices=("onnxruntime", "onnxruntime-arm", "tensorrt"),
        help="what will run the model; one file is written for each (default: onnxruntime; with "
        "--engine, tensorrt)",
    )
    group.add_argument(
        "--deform",
        choices=("standard", "plugin", "gridsample"),
        help="deformable convolution as DeformConv, as our TensorRT plugin, or made of GridSample, "
        "for TensorRT-RTX and ONNX Runtime before 1.25 (default: plugin for tensorrt, gridsample "
        "for an engine of rtx, else standard)",
    )
    group.add_argument(
        "--random-weights",
        action="store_true",
        help="export the network untrained, to measure its speed",
    )


def _add_data_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--data",
        action="append",
        metavar="FOLDER",
        help="data as for dehaze-train, of which the held-out pictures are used; may be repeated; "
        "docs/data.md says where to get them",
    )
    group.add_argument(
        "--pictures",
        type=positive_int,
        default=24,
        help="number of held-out pictures to calibrate on; as many others are used to measure the "
        "PSNR (default: %(default)s)",
    )
    group.add_argument(
        "--max-drop",
        type=positive_float,
        default=0.2,
        metavar="DB",
        help="largest loss of PSNR that INT8 may cost, in dB; as long as it costs more, another "
        "layer keeps its higher precision (default: %(default)s)",
    )
    group.add_argument(
        "--validate",
        action="store_true",
        help="measure the PSNR on --data for FP32 and FP16 models as well",
    )


def _add_engine_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--engine",
        action="store_true",
        help="build an engine, too: for the GPU here, or with --library rtx for all RTX cards",
    )
    group.add_argument(
        "--lint",
        action="store_true",
        help="list what TensorRT would reject in an .onnx file",
    )
    group.add_argument(
        "--shapes",
        nargs=3,
        type=frame_size,
        metavar=("MIN", "OPT", "MAX"),
        help="smallest, most frequent and largest frame as WIDTHxHEIGHT (default: 64x64 1280x720 "
        "1920x1080)",
    )
    group.add_argument(
        "--plugin",
        type=Path,
        metavar="LIBRARY",
        help="plugin library that `make plugin` built (default: $DEHAZE_PLUGIN, or build/plugin of "
        "the installed checkout)",
    )
    group.add_argument(
        "--workspace",
        type=positive_int,
        default=1024,
        metavar="MIB",
        help="GPU memory in MiB that the engine may use for intermediate results "
        "(default: %(default)s)",
    )
    group.add_argument(
        "--timing-cache",
        type=Path,
        metavar="FILE",
        help="keep the builder's timings in FILE, so that later builds take less time",
    )
    group.add_argument(
        "--version-compatible",
        action="store_true",
        help="build an engine that later TensorRT versions can run as well",
    )
    group.add_argument(
        "--hardware-compatible",
        choices=("none", "same_compute_capability", "ampere_plus"),
        default="none",
        help="build an engine that other GPUs can run as well; not possible on a Jetson (default: "
        "%(default)s)",
    )
    group.add_argument(
        "--library",
        choices=("tensorrt", "rtx"),
        help="what builds: TensorRT, or TensorRT-RTX, which needs no GPU and builds for all since "
        "Ampere (default: tensorrt where it and a GPU are, else rtx)",
    )


def frame_size(text: str) -> tuple[int, int]:
    """WIDTHxHEIGHT to (height, width)."""
    width, cross, height = text.lower().partition("x")
    if not (cross and width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"expected WIDTHxHEIGHT, got {text}")
    return int(height), int(width)


def main(arguments: Sequence[str] | None = None) -> int:
    options = build_parser().parse_args(arguments)
    return run_command("dehaze-export", lambda: _run(options), "nothing more was written")


def _run(options: argparse.Namespace) -> None:
    ignored = [] if options.engine else _given(options, ENGINE_ONLY)
    if ignored:
        raise UsageError(f"{', '.join(ignored)} describe an engine; add --engine")
    from dehaze.runtime.trt.options import using_library

    try:
        with using_library(options.library):
            if options.model.endswith(".onnx"):
                _from_onnx(Path(options.model), options)
            else:
                _from_network(options)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{error.name} is not installed, which exports and --lint need: "
            f"pip install 'dehaze-edge[export]'; building an engine of an .onnx file does without"
        ) from error


GRAPH_ONLY = ("fp16", "int8", "target", "deform", "random_weights", "data", "validate")
ENGINE_ONLY = ("shapes", "plugin", "timing_cache", "version_compatible", "library")


def _given(options: argparse.Namespace, names: Sequence[str]) -> list[str]:
    """The flags that the user gave, of these options."""
    return [f"--{name.replace('_', '-')}" for name in names if getattr(options, name)]


def _from_network(options: argparse.Namespace) -> None:
    if options.lint:
        raise UsageError("--lint takes an .onnx file; exports for tensorrt are checked anyway")
    engine_options = _engine_options(options) if options.engine else None
    if options.engine and options.deform is None and _builds_with_rtx(options):
        options.deform = "gridsample"
    for path in _export(options):
        if engine_options:
            _build(path, options.out, engine_options)


def _builds_with_rtx(options: argparse.Namespace) -> bool:
    """Returns whether TensorRT-RTX builds the engine, which takes no plugins."""
    from dehaze.runtime.trt.engine_cache import builder_of

    return builder_of(Path(f"{options.model}.onnx")).title == "TensorRT-RTX"


def _export(options: argparse.Namespace) -> list[Path]:
    from dehaze.train.run.checkpoint import shipped_or_path

    from .graph.comparison import COMPARED_SIZES
    from .model_file import ExportOptions, export_checkpoint, export_random_weights

    if (options.int8 or options.validate) and not options.data:
        raise UsageError(
            "--int8 and --validate need pictures that were not trained on: give --data FOLDER with "
            "NYU Depth v2, RESIDE or others; docs/data.md says where to get them"
        )
    targets = options.target or (["tensorrt"] if options.engine else ["onnxruntime"])
    targets = list(dict.fromkeys(targets))
    if options.engine and targets != ["tensorrt"]:
        raise UsageError("engines are built of models for TensorRT; leave --target out")
    wanted = ExportOptions(
        precision="fp16" if options.fp16 else "int8" if options.int8 else "fp32",
        targets=targets,
        form=options.deform,
        data=options.data or [],
        pictures=options.pictures,
        maximum_drop_db=options.max_drop,
        validated=options.validate,
    )
    if options.random_weights:
        exported = export_random_weights(options.model, options.out, wanted)
    else:
        exported = export_checkpoint(shipped_or_path(options.model), options.out, wanted)
    sizes = ", ".join(f"{width}x{height}" for height, width in COMPARED_SIZES)
    for one in exported:
        compared = (
            f"float32 at {sizes} within {one.comparison.largest}/255 of torch, "
            f"{one.comparison.differing:.4%} of the bytes differ"
        )
        megabytes = f"{one.path.stat().st_size / 1e6:.2f} MB"
        print(f"{one.path}: {'; '.join((megabytes, compared, *one.notes))}", flush=True)
    return [one.path for one in exported]


def _from_onnx(model: Path, options: argparse.Namespace) -> None:
    if not model.is_file():
        raise InputError(f"{model}: no such file")
    ignored = _given(options, GRAPH_ONLY)
    if options.engine == options.lint or ignored:
        raise UsageError(
            f"{model} is exported already; give either --engine or --lint with it"
            + (f", and not {', '.join(ignored)}" if ignored else "")
        )
    if options.engine:
        _build(model, options.out, _engine_options(options))
    else:
        _lint(model, options)


def _build(model: Path, out: Path, options: EngineOptions) -> None:
    from dehaze.runtime.trt.engine_cache import engine_from_onnx
    from dehaze.runtime.trt.engine_file import read_engine

    path = engine_from_onnx(model, out, options)
    layers = read_engine(path)[0].layers
    computed = ", ".join(f"{count} layers in {name}" for name, count in layers.items())
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB{computed and '; ' + computed}")


def _engine_options(options: argparse.Namespace) -> EngineOptions:
    from dehaze.runtime.trt.options import EngineOptions, ShapeRange

    shapes = options.shapes or [(64, 64), (720, 1280), (1080, 1920)]
    return EngineOptions(
        shapes=ShapeRange(*((1, height, width, 3) for height, width in shapes)),
        workspace_mib=options.workspace,
        timing_cache=options.timing_cache,
        plugin=options.plugin,
        version_compatible=options.version_compatible,
        hardware_compatibility=options.hardware_compatible,
    )


def _lint(model: Path, options: argparse.Namespace) -> None:
    """Prints what our rules find, and what TensorRT-RTX says where it is installed."""
    import onnx

    from .trt.lint import lint, report

    try:
        graph = onnx.load(model)
    except Exception as error:  # protobuf's DecodeError, in a module without types, or OSError
        raise InputError(f"{model}: expected an ONNX file ({one_line(error)})") from error
    findings = lint(graph)
    for line in report(findings):
        print(line)
    errors = sum(finding.severity == "error" for finding in findings)
    if not _builder_takes(model, _engine_options(options)) or errors:
        raise GateError(f"{model}: TensorRT would not take it; see above")
    print(f"{model}: nothing that TensorRT would refuse")


def _builder_takes(model: Path, options: EngineOptions) -> bool:
    """Builds the file with TensorRT-RTX and prints what it says; True where it cannot be asked."""
    from dehaze.runtime.errors import ModelError
    from dehaze.runtime.trt.host import building_host
    from dehaze.runtime.trt.options import using_library
    from dehaze.runtime.trt.plugin_library import needs_plugin

    if needs_plugin(model):
        print("TensorRT-RTX was not asked: it takes no plugins; ask it of the gridsample form")
        return True
    with using_library("rtx"):
        try:
            building_host()
        except ModelError:
            print("TensorRT-RTX was not asked: `pip install 'dehaze-edge[rtx]'` has it for x86-64")
            return True
        from dehaze.runtime.trt.build import plan_from_onnx

        try:
            plan_from_onnx(model, options)
        except (ModelError, UsageError) as refusal:
            print(refusal)
            return False
    return True
