"""`dehaze-bench report`: results as one HTML page that needs nothing else, or as Markdown."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dehaze.runtime.errors import UsageError
from dehaze.runtime.output_file import finished_output
from dehaze.runtime.preview.server import PREVIEW_FOLDER

from ..results.file import read_result
from ..results.records import Machine, Model, Result
from .markdown import filled_in, markdown, markdown_table
from .pictures import picture_pairs
from .plots import SENSITIVITY_SUFFIX, plot_table, plots, ranking, ranking_table
from .tables import explained_tables, heading, labels, model_table, tables

__all__ = ["write_reports"]

TEMPLATES = Path(__file__).parent / "templates"


def write_reports(
    files: Sequence[Path],
    outputs: Sequence[Path],
    title: str,
    *,
    into: Sequence[Path] = (),
    pictures: Path | None = None,
    model: str = "edge",
) -> None:
    """Writes each of `outputs`, *.html or *.md, over what is there.

    Args:
        files: results, and rankings of layers (*.sensitivity.json).
        into: files in Markdown whose tables are filled in, see `filled_in`.
        pictures: a folder or a video to show before and after `model`; they become part of the
            page, so they must be such as may be shown.

    Raises:
        UsageError: no output, one of another kind, or one twice; files of one name with `into`.
        InputError: a file or picture that cannot be read.
    """
    _check_outputs(outputs, into)
    read = [path for path in files if not path.name.endswith(SENSITIVITY_SUFFIX)]
    names = [path.stem for path in read]
    if into and len({*names}) < len(names):
        raise UsageError(
            f"--into expects files of different names, got {', '.join(map(str, read))}"
        )
    results = [read_result(path) for path in read]
    content = {
        "title": title,
        "results": results,
        "machines": _machines(results),
        "models": _models(results),
        "plots": plots(results),
        "rankings": [ranking(p) for p in files if p.name.endswith(SENSITIVITY_SUFFIX)],
        "pictures": picture_pairs(pictures, model) if pictures else [],
        "pictures_model": model,
    }
    environment = _environment()
    texts = {
        output: environment.get_template(f"report{output.suffix}").render(content)
        for output in outputs
    }
    named = dict(zip(names, results, strict=True))
    texts |= {path: filled_in(path, named) for path in into}  # nothing is written until all is well
    for path, text in texts.items():
        with finished_output(path, overwrite=True) as unfinished:
            # Names of files need not be valid UTF-8.
            unfinished.write_bytes(text.encode("utf-8", "backslashreplace"))


def _check_outputs(outputs: Sequence[Path], into: Sequence[Path]) -> None:
    """Raises UsageError as `write_reports` says."""
    if not outputs and not into:
        raise UsageError("give --out, --into or both")
    for output in outputs:
        if output.suffix not in (".html", ".md"):
            raise UsageError(f"expected --out to end in .html or .md, got {output}")
    places = [os.path.realpath(path) for path in (*outputs, *into)]
    for path, place in zip((*outputs, *into), places, strict=True):
        if places.count(place) > 1:
            raise UsageError(f"expected each file once in --out and --into, got {path} twice")


def _environment() -> Environment:
    loader = FileSystemLoader([TEMPLATES, PREVIEW_FOLDER])  # the slider is the preview's
    environment = Environment(
        loader=loader,
        autoescape=lambda name: bool(name and name.endswith(".html")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["markdown"] = markdown
    environment.globals |= {
        "explained_tables": explained_tables,
        "heading": heading,
        "labels": labels,
        "markdown_table": markdown_table,
        "tables": tables,
        "plot_table": plot_table,
        "ranking_table": ranking_table,
        "model_table": model_table,
        "file": lambda name: Markup(loader.get_source(environment, name)[0]),
    }
    return environment


def _machines(results: Sequence[Result]) -> list[Machine]:
    """The machines of all results, each once."""
    found: list[Machine] = []
    for result in results:
        if result.machine not in found:
            found.append(result.machine)
    return found


def _models(results: Sequence[Result]) -> list[Model]:
    """The model files in each backend, each once; classical methods have none."""
    every = [model for result in results for model in result.models if model.sha256]
    return list({(m.name, m.sha256, m.backend): m for m in every}.values())
