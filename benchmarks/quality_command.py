"""`dehaze-bench quality`: measures the methods in turn and prints their scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from dehaze.runtime.errors import UsageError

from .measure.datasets import Measured, pictures_to_measure
from .measure.methods import Method, about_method, expect_different, open_method
from .measure.quality.blind import BlindScores
from .measure.quality.perceptual import PerceptualScores
from .measure.quality.rows import kept, levels, pair_row, photograph_row, with_clear_pictures
from .measure.quality.scores import (
    PHOTOGRAPH_PROTOCOL,
    PROTOCOL,
    measure_harm,
    measure_photographs,
    measure_quality,
)
from .measure.surroundings import data_of, machine, now
from .results.figures import FIGURES
from .results.records import QualityRow, Result

__all__ = ["quality_result"]


def quality_result(
    arguments: Sequence[str],
    folder: Path,
    threads: int | None,
    command: str,
    *,
    do_no_harm: bool,
    each_level: bool,
    say: Callable[[str], None],
) -> Result:
    """Measures every method on the pictures of a folder.

    Args:
        arguments: see `open_method`.
        command: the command line, for the result.
        do_no_harm: dehaze the clear pictures, too.
        each_level: say a line for each haze level.
        say: takes each line as soon as it is known.

    Raises:
        InputError: no pictures, or some that do not fit together.
        ModelError: a method that cannot be opened.
        UsageError: `do_no_harm` without clear pictures, a method twice.
    """
    created = now()
    data = pictures_to_measure(folder)
    if do_no_harm and not data.has_references:
        raise UsageError(f"--do-no-harm needs clear pictures, {folder} has photographs alone")
    say(f"{folder}: {data.layout}, {len(data.items)} hazy pictures")
    rows = []
    expect_different(arguments)
    extra = PerceptualScores() if data.has_references else BlindScores()
    for line in extra.missing:
        say(line)
    with ExitStack() as opened:
        # All of them first: a typing mistake in the last is told before minutes of measuring.
        methods = {name: opened.enter_context(open_method(name, threads)) for name in arguments}
        for argument, method in methods.items():
            row = _measured(argument, method, data, extra)
            for line in _lines(row, each_level=each_level):
                say(line)
            if do_no_harm:
                row = with_clear_pictures(row, measure_harm(method, data))
                say(_kept_line(row))
            rows.append(row)
        models = [about_method(argument, method) for argument, method in methods.items()]
    protocol = (PROTOCOL if data.has_references else PHOTOGRAPH_PROTOCOL) | extra.protocol
    for name, words in protocol.items():
        say(f"{name}: {words}")
    files = {file for item in data.items for file in (item.hazy, item.clear) if file}
    return Result(
        kind="quality",
        created=created,
        command=command,
        machine=machine(),
        models=models,
        data=data_of(folder, files, data.layout),
        protocol=dict(protocol),
        results=rows,
    )


def _measured(
    argument: str, method: Method, data: Measured, extra: PerceptualScores | BlindScores
) -> QualityRow:
    if isinstance(extra, PerceptualScores):
        return pair_row(argument, measure_quality(method, data, extra))
    return photograph_row(argument, measure_photographs(method, data, extra))


def _lines(row: QualityRow, *, each_level: bool) -> Iterator[str]:
    means, count = row.means, len(row.pictures)
    if "psnr_db" not in means:
        yield (
            f"{row.model}: {count} photographs, "
            + ", ".join(
                f"{name} {_number(means[name], '.2f')}"
                for name in ("contrast", "noise", "cast", "dark", "crushed")
            )
            + f" %; new visible edges e {_number(means['e'], '+.3f')}, "
            f"gradients r {_number(means['r'], '.3f')} (medians), "
            f"saturated {_number(means['sigma'], '.3%')}"
            + "".join(
                f", {FIGURES[name].name} {_number(means[name], '.1f')} "
                f"(hazy {_number(means[f'hazy_{name}'], '.1f')})"
                for name in ("piqe", "brisque")
                if name in means
            )
        )
        return
    low, high = row.intervals["psnr_db"]
    yield (
        f"{row.model}: {count} pictures, PSNR {_decibels(means['psnr_db'])} "
        f"({_number(low, '.2f')} to {_number(high, '.2f')}; "
        f"hazy {_number(means['hazy_psnr_db'], '.2f')}), SSIM {_number(means['ssim'], '.4f')} "
        f"({' to '.join(_number(limit, '.4f') for limit in row.intervals['ssim'])})"
        + (
            f", LPIPS {_number(means['lpips'], '.4f')} (hazy {_number(means['hazy_lpips'], '.4f')})"
            if "lpips" in means
            else ""
        )
    )
    for level in levels(row) if each_level else ():
        yield (
            f"  {level.haze:16} {level.pictures:4} pictures, PSNR {_decibels(level.psnr_db)} "
            f"(hazy {_decibels(level.hazy_psnr_db)}), SSIM {_number(level.ssim, '.4f')}"
        )


def _kept_line(row: QualityRow) -> str:
    words = [
        f"{'with --auto' if one.way else 'clear to clear'} {_decibels(one.median_db)} "
        f"(worst {_decibels(one.worst_db)}, {one.unchanged} of {one.pictures} as they were)"
        for one in kept(row)
    ]
    return f"  {'; '.join(words)}"


def _number(value: float | None, form: str) -> str:
    return format(value, form) if value is not None else "\N{EN DASH}"


def _decibels(value: float | None) -> str:
    return f"{value:.2f} dB" if value is not None else "unchanged"
