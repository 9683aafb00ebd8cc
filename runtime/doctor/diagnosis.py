"""Checks this machine for `dehaze-run --doctor`: what works, and what to install for the rest.

Every backend that can run here dehazes a small picture, whose result is known.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..backends import open_session
from ..errors import DehazeError, one_line
from ..model.shipped import DEFAULT_MODEL, MODELS_FOLDER, model_path
from ..providers.installed import installed_providers, why_no_plugin
from ..providers.self_test import SIZE, SelfTest, self_test
from ..session import Session
from ..trt.engine_search import engines_in
from ..trt.options import TensorRTOptions
from ..trt.plugin_library import find_plugin
from .machine import Finding, processor, software, video_card

__all__ = ["BackendCheck", "Diagnosis", "EngineCheck", "diagnose"]


@dataclass(frozen=True)
class EngineCheck:
    """An engine file beside a model."""

    path: str
    misfit: str
    """The reason why the engine does not run here; empty where it does."""


@dataclass(frozen=True)
class BackendCheck:
    """A backend and its self-test."""

    name: str
    chosen_because: str
    """The reason, as in `Dehazer.backend`; empty where the backend cannot open the model."""
    result: SelfTest
    is_default: bool


@dataclass(frozen=True)
class Diagnosis:
    """The findings. With an `exit_code` other than 0, dehaze-run's default backend is broken."""

    sections: dict[str, list[Finding]]
    engines: list[EngineCheck]
    backends: list[BackendCheck]

    @property
    def exit_code(self) -> int:
        """1 where the default backend does not pass its self-test, else 0."""
        return int(not any(check.is_default and check.result.passed for check in self.backends))

    def as_dict(self) -> dict[str, Any]:
        """The findings as a dictionary, for `--json`."""
        return {**asdict(self), "exit_code": self.exit_code}

    def __str__(self) -> str:
        """The findings as several lines of text."""
        lines: list[str] = []
        for title, findings in self.sections.items():
            lines += [title, *(_line(f.name, f.value or f"none; {f.advice}") for f in findings), ""]
        lines.append("engines")
        lines += [
            _line(Path(engine.path).name, engine.misfit or "runs here") for engine in self.engines
        ] or [_line("none", "beside the models")]
        lines += ["", "self-tests"]
        lines += [_line(_title(check), _outcome(check)) for check in self.backends]
        lines += [
            _line("default", check.chosen_because or "none")
            for check in self.backends
            if check.is_default
        ]
        return "\n".join(lines)


def _line(name: str, value: str) -> str:
    return f"  {name:<22} {value}"


def _title(check: BackendCheck) -> str:
    return f"{check.name} (default)" if check.is_default else check.name


def _outcome(check: BackendCheck) -> str:
    result = check.result
    if not result.passed:
        return f"FAILED: {result.error}" if check.chosen_because else f"not here: {result.error}"
    known = result.worst_difference is not None
    how = f"{result.worst_difference:g} of 255 off" if known else "strength 0 alone: other weights"
    return f"passed, {how}, {result.milliseconds:.1f} ms"


def diagnose(
    model: str | Path = DEFAULT_MODEL, *, tensorrt: TensorRTOptions | None = None
) -> Diagnosis:
    """Examines this machine and runs the self-tests, for which no engine is built.

    Args:
        model: the model to run; engines are looked for beside it and beside the shipped models.

    Raises:
        ModelError: no such model.
    """
    path = model_path(model)
    options = replace(tensorrt or TensorRTOptions(), may_build=False)
    sections = {
        "software": [*software(), *_plugins_without_device()],
        "machine": processor(),
        "NVIDIA": [*video_card(), _plugin(options)],
    }
    folders = dict.fromkeys((path.parent.resolve(), MODELS_FOLDER.resolve()))
    engines = [
        EngineCheck(str(engine.path), engine.misfit)
        for folder in folders
        for engine in engines_in(folder, trust=options.trust_engine)
    ]
    return Diagnosis(sections, engines, _check_backends(path, options))


def _plugins_without_device() -> list[Finding]:
    return [Finding("ONNX Runtime plugin", line, "") for line in why_no_plugin()]


def _plugin(options: TensorRTOptions) -> Finding:
    name, advice = "plugin library", "`make plugin`; engines of the shipped model need it"
    try:
        found = options.plugin or find_plugin()
    except DehazeError as error:
        return Finding(name, "", one_line(error))
    return Finding(name, str(found) if found else "", advice)


def _check_backends(path: Path, options: TensorRTOptions) -> list[BackendCheck]:
    """The one that `auto` takes, the other ones, and ONNX Runtime on whatever else is there."""
    default = _check(path, "auto", options)
    names = [name for name in ("onnxruntime", "tensorrt", "rtx") if name != default.name]
    providers = [provider.name for provider in installed_providers() if provider.name != "cpu"]
    return [
        default,
        *(_check(path, name, options) for name in names),
        *(_check(path, "onnxruntime", options, name) for name in providers),
    ]


def _check(
    path: Path, backend: Any, options: TensorRTOptions, provider: str = "cpu"
) -> BackendCheck:
    is_default = backend == "auto"
    title = backend if provider == "cpu" else f"{backend} on {provider}"
    try:
        opened = open_session(path, backend, provider=provider, tensorrt=options)
    except DehazeError as error:
        return BackendCheck(title, "", SelfTest(one_line(error)), is_default)
    try:
        result = _self_test(opened.session)
    finally:
        opened.session.close()
    return BackendCheck(opened.backend, opened.why, result, is_default)


def _self_test(session: Session) -> SelfTest:
    """Tests with the usual picture size, or with the optimum of an engine that refuses it."""
    shapes = session.shapes
    if shapes is None or shapes.takes((1, *SIZE, 3)):
        return self_test(session)
    reference = open_session(model_path(DEFAULT_MODEL), "onnxruntime").session
    try:
        return self_test(session, shapes.optimum[1:3], reference)
    finally:
        reference.close()
