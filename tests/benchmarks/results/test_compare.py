from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from result_files import MACHINE, latency_result, quality_result, stored

from dehaze.benchmarks.cli import main
from dehaze.benchmarks.results.records import LatencyRow, QualityRow, Result


def compared(tmp_path: Path, old: object, new: object, *options: str) -> int:
    paths = [str(stored(tmp_path / f"{n}.json", r)) for n, r in (("old", old), ("new", new))]  # type: ignore[arg-type]
    return main(["compare", *paths, *options])


def times(middle: float, seed: int) -> list[float]:
    return (middle * np.random.default_rng(seed).normal(1, 0.03, 40)).tolist()


def test_slower_beyond_noise_gives_3_and_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, slow = (latency_result({"a": times(m, s)}) for m, s in ((20, 1), (24, 2)))
    assert compared(tmp_path, old, slow) == 3
    output = capsys.readouterr()
    assert "worse" in output.out
    assert output.err.count("\n") == 1
    assert "a in onnxruntime, 1280x720, 2 threads: median" in output.err
    assert compared(tmp_path, slow, old) == 0
    assert "better" in capsys.readouterr().out


@pytest.mark.parametrize("seed", range(10))
def test_noise_alone_gives_0(tmp_path: Path, seed: int) -> None:
    old, new = (latency_result({"a": times(20, s)}) for s in (seed, seed + 100))
    assert compared(tmp_path, old, new) == 0


def test_few_and_wild_samples_prove_nothing(tmp_path: Path) -> None:
    old = latency_result({"a": [20, 90, 21, 25, 60]})
    new = latency_result({"a": [24, 20, 95, 70, 26]})
    assert compared(tmp_path, old, new) == 0


def test_a_real_run_against_itself_and_against_a_slowed_one(tmp_path: Path) -> None:
    path, slowed = tmp_path / "old.json", tmp_path / "new.json"
    arguments = ["latency", "edge", "--sizes", "96x64", "--threads", "1", "--runs", "20"]
    assert main([*arguments, "--no-memory", "--json", str(path)]) == 0
    assert main(["compare", str(path), str(path)]) == 0
    document = json.loads(path.read_text())
    row = document["results"][0]
    # A hundredfold: on busy cores half of the calls of so small a frame take ten times as long.
    row["milliseconds"] = [100 * spent for spent in row["milliseconds"]]
    slowed.write_text(json.dumps(document))
    assert main(["compare", str(path), str(slowed)]) == 3


def test_a_loss_in_every_picture_counts_however_pictures_differ(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = np.random.default_rng(0).uniform(10, 40, 20)
    old, new = (quality_result({"a": (scores - loss).tolist()}) for loss in (0, 0.1))
    assert compared(tmp_path, old, new) == 3
    assert "a: psnr_db (20 pictures)" in capsys.readouterr().err
    noisy = quality_result({"a": (scores + np.random.default_rng(1).normal(0, 1, 20)).tolist()})
    assert compared(tmp_path, old, noisy) == 0
    kernels = quality_result({"a": (scores - 0.005).tolist()})
    assert compared(tmp_path, old, kernels) == 0


def test_a_busy_machine_is_not_a_regression_of_the_ratio(tmp_path: Path) -> None:
    base, seconds = np.array(times(20, 1)), np.random.default_rng(3).uniform(2, 4, 40)
    old = latency_result({"fixed": base.tolist(), "mine": (1.5 * base).tolist()})
    busy, worse = (
        latency_result({"fixed": (seconds * base).tolist(), "mine": (m * seconds * base).tolist()})
        for m in (1.5, 1.8)
    )
    assert compared(tmp_path, old, busy) == 3
    assert compared(tmp_path, old, busy, "--relative") == 0
    assert compared(tmp_path, old, worse, "--relative") == 3


def test_other_machines_and_data_are_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = latency_result({"a": times(20, 1)})
    other = latency_result({"a": times(20, 1)}, replace(MACHINE, processor="Another CPU"))
    assert compared(tmp_path, old, other) == 2
    assert "processor 'Test CPU' and 'Another CPU'" in capsys.readouterr().err
    assert compared(tmp_path, old, other, "--force") == 0
    assert "compared all the same" in capsys.readouterr().err
    old, other = quality_result({"a": [20.0, 21.0]}), quality_result({"a": [20.0, 21.0]}, "e" * 64)
    assert compared(tmp_path, old, other) == 2
    assert "the data differ" in capsys.readouterr().err
    assert compared(tmp_path, old, latency_result({"a": [1.0]}), "--force") == 2
    assert "of one kind" in capsys.readouterr().err


def test_a_model_that_is_gone_is_not_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = quality_result({"a": [20.0, 21.0], "b": [22.0, 23.0]})
    new = quality_result({"a": [20.0, 21.0]})
    assert compared(tmp_path, old, new) == 2
    assert "the new result lacks b" in capsys.readouterr().err
    assert compared(tmp_path, new, old) == 0  # one more is no reason


def test_new_weights_and_versions_are_said_and_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = latency_result({"a": times(20, 1)})
    models = [replace(old.models[0], sha256="f" * 64)]
    machine = replace(MACHINE, versions={"numpy": "3"})
    assert compared(tmp_path, old, replace(old, models=models, machine=machine)) == 0
    printed = capsys.readouterr().out
    assert "model a is another file" in printed
    assert "numpy: 2, now 3" in printed


def test_a_picture_that_was_perfect_and_clear_ones_that_were_kept_count(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = (quality_result({"a": scores}) for scores in ([math.inf] * 20, [20.0] * 20))
    assert compared(tmp_path, old, new) == 3
    assert "a: psnr_db (20 pictures) 50 -> 20" in capsys.readouterr().err
    assert compared(tmp_path, old, quality_result({"a": [78.0] * 20})) == 0  # nobody sees it
    kept, harmed = (
        replace(
            quality_result({"a": [20.0, 21.0]}),
            results=[
                QualityRow("a", {}, [], clear_pictures=[
                    {"name": str(n), "psnr_db": 30.0, "auto_psnr_db": psnr} for n in range(20)
                ])
            ],
        )
        for psnr in (None, 30.0)
    )  # fmt: skip
    assert compared(tmp_path, kept, harmed) == 3
    assert "a: clear auto_psnr_db (20 pictures) 50 -> 30" in capsys.readouterr().err
    assert compared(tmp_path, harmed, kept) == 0


def test_photographs_that_come_out_darker_are_worse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, darker, without_flat_parts = (
        replace(
            quality_result({"a": [20.0]}),
            results=[
                QualityRow(
                    "a", {}, [{"name": str(n), "contrast": 1.5, "dark": dark} for n in "123"]
                )
            ],
        )
        for dark in (1.0, 1.3, None)
    )
    assert compared(tmp_path, old, darker) == 3
    assert "a: dark (3 pictures) 1 -> 1.3" in capsys.readouterr().err
    assert compared(tmp_path, darker, old) == 0
    assert compared(tmp_path, without_flat_parts, without_flat_parts) == 0


def test_figures_that_are_gone_are_not_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, fewer = (quality_result({"a": [20.0] * n, "b": [20.0] * 3}) for n in (3, 2))
    assert compared(tmp_path, old, fewer) == 2
    assert "the new result lacks psnr_db of 1 pictures of a" in capsys.readouterr().err


def test_pictures_of_one_scene_are_no_independent_witnesses(tmp_path: Path) -> None:
    """Two of four scenes lose, in ten levels each: that is no more proof than four pictures."""
    losses = np.repeat([0.4, 0.4, -0.2, -0.05], 10)
    old, new = (quality_result({"a": (20 - by * losses).tolist()}) for by in (0, 1))
    assert compared(tmp_path, old, new) == 3  # were they pictures of 40 scenes
    for result in (old, new):
        for number, picture in enumerate(result.rows(QualityRow)[0].pictures):
            picture["scene"] = str(number // 10)
    assert compared(tmp_path, old, new) == 0


def test_ratios_are_to_one_model_in_both_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fast, slow, other = times(10, 1), times(30, 2), times(20, 3)
    old = latency_result({"fast": fast, "slow": slow, "other": other})
    new = latency_result({"slow": slow, "fast": fast, "other": other})
    assert compared(tmp_path, old, new, "--relative") == 2
    assert "expects the same first model, got fast" in capsys.readouterr().err
    for alone in (latency_result({"a": fast}), quality_result({"a": [20.0, 21.0]})):
        assert compared(tmp_path, alone, alone, "--relative") == 2
        assert "two models or more" in capsys.readouterr().err


def test_more_memory_and_energy_count_as_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = latency_result({"a": times(20, 1)})

    def used(mib: float, joules: float) -> Result:
        row = plain.rows(LatencyRow)[0]
        return replace(
            plain, results=[replace(row, peak_memory_mib=mib, energy_per_frame_j=joules)]
        )

    assert compared(tmp_path, used(200, 0.1), used(205, 0.104)) == 0
    assert compared(tmp_path, used(200, 0.1), used(300, 0.1)) == 3
    assert "a in onnxruntime, 1280x720, 2 threads: peak_memory_mib" in capsys.readouterr().err
    assert compared(tmp_path, used(200, 0.1), used(200, 0.2)) == 3
    assert compared(tmp_path, used(200, 0.2), used(200, 0.1)) == 0
    assert compared(tmp_path, plain, used(200, 0.1)) == 0


def test_piqe_and_brisque_are_shown_and_never_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def result(piqe: float, cast: float) -> Result:
        pictures: list[dict[str, float | str | None]] = [
            {"name": f"{number}", "piqe": piqe, "hazy_piqe": 20.0, "cast": cast}
            for number in range(9)
        ]
        row = QualityRow("a", {"piqe": piqe, "cast": cast}, pictures)
        return replace(quality_result({"a": [20.0]}), results=[row])

    assert compared(tmp_path, result(20.0, 1.0), result(90.0, 1.0)) == 0
    printed = capsys.readouterr().out
    assert "a: piqe (9 pictures)" in printed
    assert "worse" not in printed
    assert compared(tmp_path, result(20.0, 1.0), result(20.0, 2.0)) == 3  # a figure that counts


def test_a_figure_that_only_the_new_result_has_is_no_obstacle(tmp_path: Path) -> None:
    old = quality_result({"a": [20.0, 21.0]})
    newer = replace(old, protocol={**old.protocol, "PIQE": "pypiqe 1.2"})
    assert compared(tmp_path, old, newer) == 0
    assert compared(tmp_path, newer, old) == 2
    assert compared(tmp_path, old, replace(old, protocol={**old.protocol, "rule": "new"})) == 2
