"""Ranks the layers by what 8 bits cost them, and keeps the fewest in higher precision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from onnx import ModelProto
from tqdm import tqdm

from dehaze.runtime.errors import GateError
from dehaze.runtime.model.sensitivity import LayerCost, Sensitivity
from dehaze.runtime.output_file import finished_output

from ..graph.comparison import session_of
from .calibration import Picture

RANKED_EVERY = 6
"""The ranking uses one of so many scoring pictures."""


def mean_psnr(model: ModelProto, pictures: Sequence[Picture], *, as_written: bool = False) -> float:
    """Mean over the pictures, in dB; `as_written` as for `session_of`."""
    session = session_of(model, as_written=as_written)
    scores = []
    for picture in pictures:
        clear = session.run(["clear"], {"image": picture.hazy})[0]
        mean = float(np.square(clear.astype(np.float64) - picture.clear).mean())
        scores.append(10 * np.log10(255**2 / max(mean, 1e-6)))
    return float(np.mean(scores))


def choose_layers(
    quantise: Callable[[Sequence[str]], ModelProto],
    layers: Sequence[str],
    score: Callable[[ModelProto, Sequence[Picture]], float],
    pictures: Sequence[Picture],
    maximum_drop_db: float,
) -> tuple[ModelProto, Sensitivity]:
    """Quantises as many layers as the limit allows, keeping the most costly ones.

    Every sixth picture ranks the layers, since a large network has hundreds; all of them decide.

    Args:
        quantise: the model with these layers in 8 bits.
        layers: all that can be.
        score: mean PSNR in dB; `mean_psnr`.
        maximum_drop_db: what INT8 may cost in mean PSNR.

    Raises:
        GateError: not even one layer can be in 8 bits.
    """
    float32_db, ranked = score(quantise([]), pictures), pictures[::RANKED_EVERY]
    ranked_db = score(quantise([]), ranked)
    bar = tqdm(layers, desc="sensitivity", unit="layer", disable=None, leave=False)
    costs = [LayerCost(layer, ranked_db - score(quantise([layer]), ranked)) for layer in bar]
    ranking = sorted(costs, key=lambda cost: -cost.drop_db)
    drops: list[float] = []
    for count in tqdm(range(len(layers)), desc="layers kept", disable=None, leave=False):
        kept = [cost.layer for cost in ranking[:count]]
        model = quantise([layer for layer in layers if layer not in kept])
        drops.append(float32_db - score(model, pictures))
        if drops[-1] <= maximum_drop_db:
            return model, Sensitivity(float32_db, ranking, kept, drops)
    least = f"{min(drops):.2f} dB" if drops else "no layer that can be quantised"
    raise GateError(
        f"expected INT8 within {maximum_drop_db:g} dB, got {least} even with one layer of "
        f"{len(layers)}; allow more with --max-drop, or train for 8 bits: "
        f"dehaze-train --set quantised=true"
    )


def write_sensitivity(sensitivity: Sensitivity, path: Path) -> None:
    """Writes the ranking as JSON to `path` and as a bar chart to the .png beside it.

    Raises:
        OutputError: one cannot be written.
    """
    from matplotlib.figure import Figure

    with finished_output(path, overwrite=True) as unfinished:
        unfinished.write_text(sensitivity.to_json() + "\n")
    ranking = list(reversed(sensitivity.ranking))
    figure = Figure(figsize=(8, 1.5 + 0.18 * len(ranking)), layout="constrained")
    axes = figure.subplots()
    colours = ["tab:orange" if c.layer in sensitivity.kept else "tab:blue" for c in ranking]
    axes.barh([c.layer for c in ranking], [c.drop_db for c in ranking], color=colours)
    axes.tick_params(axis="y", labelsize=6)
    axes.margins(y=0.01)
    axes.set_xlabel("PSNR lost by this layer alone in INT8, dB (orange: kept in higher precision)")
    axes.set_title(
        f"float32 {sensitivity.float32_db:.2f} dB; INT8 loses {sensitivity.drop_db:.3f} dB "
        f"with {len(sensitivity.kept)} of {len(ranking)} layers kept"
    )
    with finished_output(path.with_suffix(".png"), overwrite=True) as unfinished:
        figure.savefig(unfinished, dpi=120)
