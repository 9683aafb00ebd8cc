"""Prints what `dehaze-run --doctor` and `--list-models` tell."""

from __future__ import annotations

import argparse
import json

from ..errors import DehazeError
from ..model.shipped import MODELS_FOLDER, contract_of, list_models

__all__ = ["print_diagnosis", "print_models"]


def print_diagnosis(options: argparse.Namespace) -> None:
    from ..trt.options import TensorRTOptions
    from .diagnosis import diagnose

    tensorrt = TensorRTOptions(plugin=options.plugin, trust_engine=options.trust_engine)
    diagnosis = diagnose(options.model, tensorrt=tensorrt)
    print(json.dumps(diagnosis.as_dict()) if options.json else diagnosis)
    if diagnosis.exit_code:
        raise DehazeError("the default backend failed its self-test; see the lines above")


def print_models(options: argparse.Namespace) -> None:
    models = []
    for name in list_models():
        path = MODELS_FOLDER / f"{name}.onnx"
        models.append({"model": name, "bytes": path.stat().st_size, **vars(contract_of(path))})
    if options.json:
        print(json.dumps({"models": models}, indent=2))
        return
    for model in models:
        print(
            f"{model['model']}: {model['parameters']} parameters, {model['precision']}, "
            f"{model['bytes'] / 1e6:.2f} MB\n    {model['card']}"
        )
