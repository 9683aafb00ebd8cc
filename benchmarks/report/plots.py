"""Draws the report's plots: models by speed and quality, layers by their cost in INT8."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from markupsafe import Markup

from dehaze.runtime.decoding import WrongValueError, decode
from dehaze.runtime.errors import InputError
from dehaze.runtime.model.sensitivity import Sensitivity

from ..results.file import read_json
from ..results.records import LatencyRow, QualityRow, Result
from .scatter import Point, pareto_front, scatter_svg
from .tables import Table, labels, settings

__all__ = [
    "SENSITIVITY_SUFFIX", "Plot", "Ranking", "plot_table", "plots", "ranking", "ranking_table",
]  # fmt: skip

SENSITIVITY_SUFFIX = ".sensitivity.json"
MOST_LAYERS = 12
"""Layers of a ranking that are shown; the rest cost next to nothing."""


@dataclass(frozen=True)
class Ranking(Sensitivity):
    """The ranking of layers in INT8 by dehaze-export, for the page."""

    name: str = ""
    left_out: int = 0
    """Number of layers of the ranking that are not shown."""


@dataclass(frozen=True)
class Plot:
    """PSNR against latency at one size."""

    setting: str
    svg: Markup
    points: list[Point]
    front: list[Point]


def plots(results: Sequence[Result]) -> list[Plot]:
    """A plot for each size and number of threads for which two models or more are known.

    Scores of other pictures have a plot of their own.
    """
    scores: dict[str, dict[str, float]] = {}
    layouts: dict[str, str] = {}
    for result in results:
        for quality in result.rows(QualityRow):
            if (psnr := quality.means.get("psnr_db")) is not None:
                data = result.data.sha256 if result.data else ""
                scores.setdefault(data, {})[_identity(quality.model, result)] = psnr
                layouts[data] = result.data.layout if result.data else ""
    found = []
    for result in results:
        words = labels(row.model for row in result.rows(LatencyRow))
        for setting, here in settings(result.rows(LatencyRow)):
            several = len({row.model for row in here}) < len(here)
            for data, known in scores.items():
                points = [
                    Point(
                        _label(words[row.model], row.backend if several else ""), row.p50_ms, psnr
                    )
                    for row in here
                    if (psnr := known.get(_identity(row.model, result))) is not None
                ]
                if len(points) > 1:
                    title = f"{layouts[data]}, {setting}" if len(scores) > 1 else setting
                    svg = Markup(scatter_svg(points))
                    found.append(Plot(title, svg, points, pareto_front(points)))
    return found


def _identity(name: str, result: Result) -> str:
    """The file's hash, for a name may mean another file elsewhere; the name where there is none.

    With what was said of a foreign file's pixels, which may have been something else before.
    """
    sha256 = next((m.sha256 for m in result.models if m.name == name and m.sha256), None)
    return f"{sha256} {name.partition('.onnx@')[2]}" if sha256 else name


def _label(name: str, backend: str) -> str:
    model = name.removesuffix(".onnx").removesuffix(".engine")
    return f"{model}, {backend}" if backend else model


def plot_table(plot: Plot) -> Table:
    """A plot as a table, for readers without pictures."""
    rows = [
        [p.label, f"{p.milliseconds:.2f}", f"{p.psnr_db:.2f}", "yes" if p in plot.front else ""]
        for p in sorted(plot.points, key=lambda p: p.milliseconds)
    ]
    return Table(plot.setting, ["model", "ms", "PSNR, dB", "on the Pareto front"], rows)


def ranking_table(found: Ranking) -> Table:
    rows = [[one.layer, f"{one.drop_db:.4f}"] for one in found.ranking]
    return Table("", ["layer", "dB lost by it alone"], rows)


def ranking(path: Path) -> Ranking:
    """Reads what dehaze-export wrote.

    Raises:
        InputError: it cannot be read, or is something else.
    """
    try:
        found: Ranking = decode(read_json(path), Ranking)
        if not found.ranking or not found.drops_db:
            raise WrongValueError("ranking", "at least one layer", found.ranking)
    except WrongValueError as error:
        raise InputError(
            f"{path}: expected a ranking of layers by dehaze-export --int8, got something else "
            f"({error})"
        ) from error
    return replace(
        found,
        name=path.name.removesuffix(SENSITIVITY_SUFFIX),
        ranking=found.ranking[:MOST_LAYERS],
        left_out=max(0, len(found.ranking) - MOST_LAYERS),
    )
