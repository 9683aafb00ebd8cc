"""`dehaze-bench report`: results as one HTML page that needs nothing else, or as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dehaze.runtime.errors import UsageError
from dehaze.runtime.output_file import finished_output
from dehaze.runtime.preview_server import PREVIEW_FOLDER

from .report_pictures import picture_pairs
from .report_plots import SENSITIVITY_SUFFIX, plot_cells, plots, ranking
from .report_tables import (
    flicker_cells,
    latency_cells,
    latency_columns,
    levels,
    model_cells,
    quality_cells,
    quality_columns,
    settings,
)
from .results import Machine, Model, Result, read_result

__all__ = ["write_reports"]

TEMPLATES = Path(__file__).parent / "templates"


def write_reports(
    files: Sequence[Path],
    outputs: Sequence[Path],
    title: str,
    *,
    pictures: Path | None = None,
    model: str = "edge",
) -> None:
    """Writes each of `outputs`, *.html or *.md, over what is there.

    Args:
        files: results, and rankings of layers (*.sensitivity.json).
        pictures: a folder or a video to show before and after `model`; they become part of the
            page, so they must be such as may be shown.

    Raises:
        UsageError: an output of another kind.
        InputError: a file or picture that cannot be read.
    """
    for output in outputs:
        if output.suffix not in (".html", ".md"):
            raise UsageError(f"expected --out to end in .html or .md, got {output}")
    results = [read_result(path) for path in files if not path.name.endswith(SENSITIVITY_SUFFIX)]
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
    for output in outputs:
        template = environment.get_template(f"report{output.suffix}")
        with finished_output(output, overwrite=True) as unfinished:
            unfinished.write_text(template.render(content))


def _environment() -> Environment:
    loader = FileSystemLoader([TEMPLATES, PREVIEW_FOLDER])  # the slider is the preview's
    environment = Environment(
        loader=loader,
        autoescape=lambda name: bool(name and name.endswith(".html")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "cell": _cell,
        "mebibytes": lambda size: f"{size / 2**20:.2f}",
    }
    environment.globals |= {
        "settings": settings,
        "latency_columns": latency_columns,
        "latency_cells": latency_cells,
        "quality_columns": quality_columns,
        "quality_cells": quality_cells,
        "levels": levels,
        "flicker_cells": flicker_cells,
        "plot_cells": plot_cells,
        "ranking_cells": lambda found: [
            [one["layer"], f"{one['drop_db']:.4f}"] for one in found.ranking
        ],
        "model_cells": model_cells,
        "file": lambda name: Markup(loader.get_source(environment, name)[0]),
    }
    return environment


def _cell(words: object) -> str:
    """For a table in Markdown."""
    text = " ".join(str(words).split())
    for special in "\\|<`*_[":
        text = text.replace(special, f"\\{special}")
    return text


def _machines(results: Sequence[Result]) -> list[Machine]:
    """Each once."""
    found: list[Machine] = []
    for result in results:
        if result.machine not in found:
            found.append(result.machine)
    return found


def _models(results: Sequence[Result]) -> list[Model]:
    """Each file in each backend once."""
    found = {(m.name, m.sha256, m.backend): m for result in results for m in result.models}
    return list(found.values())
