"""dehaze-export: a checkpoint to a model file that dehaze-run takes, or to a TensorRT engine."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dehaze.runtime.command import run_command
from dehaze.runtime.errors import GateError, InputError, UsageError, one_line

from .cli_options import build_parser, given

if TYPE_CHECKING:
    from dehaze.runtime.trt.options import EngineOptions

    from .model_file import ExportOptions, Origin

__all__ = ["build_parser", "main"]


def main(arguments: Sequence[str] | None = None) -> int:
    options = build_parser().parse_args(arguments)
    options.typed = shlex.join(["dehaze-export", *(arguments or sys.argv[1:])])
    return run_command("dehaze-export", lambda: _run(options), "nothing more was written")


def _run(options: argparse.Namespace) -> None:
    ignored = [] if options.engine else given(options, ENGINE_ONLY)
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
            f"{error.name} is not installed, which this export needs: pip install "
            f"'dehaze-edge[export]'; the network that ships does without for --fp16 and, unless "
            f"you give --data, --int8, and so does an engine of an .onnx file"
        ) from error


DATA_ONLY = ("pictures", "max_drop", "validate")
GRAPH_ONLY = ("fp16", "int8", "target", "deform", "random_weights", "data", *DATA_ONLY)
ENGINE_ONLY = ("shapes", "plugin", "timing_cache", "version_compatible", "library")


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
    from .model_file import ExportOptions, export_models

    if (ignored := given(options, DATA_ONLY)) and not options.data:
        raise UsageError(
            f"{', '.join(ignored)} without --data: give --data FOLDER with pictures that were not "
            f"trained on, such as NYU Depth v2 or RESIDE; docs/data.md says where to get them"
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
        pictures=options.pictures or ExportOptions.pictures,
        maximum_drop_db=options.max_drop or ExportOptions.maximum_drop_db,
        validated=options.validate,
        command=options.typed,
    )
    exported = export_models(_origin(options, wanted), options.out, wanted)
    for one in exported:
        megabytes = f"{one.path.stat().st_size / 1e6:.2f} MB"
        print(f"{one.path}: {'; '.join((megabytes, *one.notes))}", flush=True)
    return [one.path for one in exported]


def _origin(options: argparse.Namespace, wanted: ExportOptions) -> Origin:
    """What the export starts from: the models that ship where they do, else torch."""
    from dehaze.train.shipped import shipped_or_path

    from .model_file import Origin

    if not options.random_weights:
        checkpoint = shipped_or_path(options.model)
        # What ships is itself made with torch: float32 for ONNX Runtime.
        if wanted.precision != "fp32" or "onnxruntime" not in wanted.targets:
            from .graph.shipped_models import ShippedModels, shipped_contract

            if contract := shipped_contract(checkpoint):
                return Origin(ShippedModels(contract.name), contract)
    from .network_origin import checkpoint_origin, random_origin

    return random_origin(options.model) if options.random_weights else checkpoint_origin(checkpoint)


def _from_onnx(model: Path, options: argparse.Namespace) -> None:
    if not model.is_file():
        raise InputError(f"{model}: no such file")
    ignored = given(options, GRAPH_ONLY)
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


if __name__ == "__main__":
    sys.exit(main())
