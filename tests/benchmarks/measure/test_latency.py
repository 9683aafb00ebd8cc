from __future__ import annotations

import json
import stat
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest

from dehaze.benchmarks.cli import main
from dehaze.benchmarks.measure import latency
from dehaze.benchmarks.measure.peak_memory import peak_memory
from dehaze.benchmarks.measure.power import measure_power, total_watts
from dehaze.benchmarks.results.file import read_result
from dehaze.benchmarks.results.intervals import mean_interval, median_is_stable, ratio_interval
from dehaze.benchmarks.results.records import LatencyRow, Result
from dehaze.runtime.backends import OpenedSession
from dehaze.runtime.haze import numpy_passes, pixel_passes
from dehaze.runtime.session import DeviceTimes, Frames, FunctionSession

OTHER = """<ir_version: 9, opset_import: ["" : 20]>
other (float[n, 3, h, w] x) => (float[n, 3, h, w] y) { y = Identity(x) }"""
ORIN_NANO = (
    "05-05-2025 06:05:39 RAM 2639/7620MB (lfb 9x4MB) SWAP 0/3810MB (cached 0MB) "
    "CPU [1%@729,4%@729,8%@729,4%@729,5%@729,4%@729] GR3D_FREQ 0% cpu@44.156C soc2@43.781C "
    "soc0@44.687C gpu@45.968C tj@45.968C soc1@45.312C VDD_IN 5263mW/5300mW "
    "VDD_CPU_GPU_CV 717mW/717mW VDD_SOC 1794mW/1794mW"
)
AGX_ORIN = (
    "RAM 3162/30536MB (lfb 6x4MB) SWAP 0/15268MB (cached 0MB) CPU [1%@729,0%@729,off,off] "
    "EMC_FREQ 0%@2133 GR3D_FREQ 0%@[305] cpu@47.968C tj@47.968C VDD_GPU_SOC 3175mW/3176mW "
    "VDD_CPU_CV 794mW/800mW VIN_SYS_5V0 4343mW/4300mW NC 0mW/0mW VDDQ_VDD2_1V8AO 503mW/503mW"
)
NANO_2019 = (
    "RAM 1201/3964MB (lfb 3x1MB) IRAM 0/252kB(lfb 252kB) CPU [11%@102,3%@102,0%@102,0%@102] "
    "EMC_FREQ 0% GR3D_FREQ 0% PLL@31C CPU@34C PMIC@100C GPU@32C AO@39.5C thermal@33C "
    "POM_5V_IN 1562/1600 POM_5V_GPU 40/40 POM_5V_CPU 160/160"
)
AGX_XAVIER = (
    "RAM 2000/15820MB (lfb 300x4MB) CPU [2%@1190,0%@1190] EMC_FREQ 0% GR3D_FREQ 0% AO@36C GPU@36C "
    "GPU 0mW/10mW CPU 311mW/320mW SOC 933mW/930mW CV 0mW/0mW VDDRQ 155mW/150mW SYS5V 1480mW/1480mW"
)


@pytest.mark.parametrize(
    ("line", "watts"),
    [
        (ORIN_NANO, 5.263),
        (AGX_ORIN, 3.175 + 0.794 + 4.343),
        (NANO_2019, 1.562),
        (AGX_XAVIER, 0.311 + 0.933 + 0.155 + 1.480),
        ("RAM 2639/7620MB (lfb 9x4MB) GR3D_FREQ 0%", None),
    ],
)
def test_the_power_of_the_whole_module_is_read(line: str, watts: float | None) -> None:
    assert total_watts(line) == (watts and pytest.approx(watts))


def test_energy_is_power_by_time_per_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "tegrastats"
    program.write_text(f"#!/bin/sh\nwhile :; do echo '{ORIN_NANO}'; sleep 0.05; done\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    calls: list[int] = []
    power = measure_power(lambda: calls.append(1), seconds=0.5)
    assert power is not None
    assert power.watts == pytest.approx(5.263)
    assert power.joules_per_frame == pytest.approx(5.263 * 0.5 / len(calls), rel=0.1)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert measure_power(lambda: None) is None


def measured(tmp_path: Path, *arguments: str) -> Result:
    path = tmp_path / "latency.json"
    assert main(["latency", *arguments, "--json", str(path)]) == 0
    return read_result(path)


@pytest.mark.parametrize(("seconds", "rounds"), [(0.0, 5), (60.0, 20)])
def test_what_is_slow_gets_fewer_rounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, rounds: int
) -> None:
    monkeypatch.setattr(latency, "LONGEST_S", seconds)
    monkeypatch.setattr(latency, "STABLE", 1e6)
    (row,) = measured(tmp_path, "none", "--sizes", "64x64", "--no-memory").rows(LatencyRow)
    assert len(row.milliseconds) == rounds


def test_every_size_is_measured_with_every_number_of_threads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--sizes", "96x64", "64x128", "--threads", "1", "2", "--runs", "4", "--no-memory"]
    result = measured(tmp_path, "edge", "none", *options)
    rows = result.rows(LatencyRow)
    assert [row.setting for row in rows] == [
        setting
        for setting in [(96, 64, 1), (96, 64, 2), (64, 128, 1), (64, 128, 2)]
        for _ in range(2)
    ]
    for row in rows:
        assert len(row.milliseconds) == 4
        assert row.p50_ms == pytest.approx(np.median(row.milliseconds), abs=1e-3)
        assert row.p50_ms <= row.p90_ms <= row.p95_ms <= row.p99_ms
        assert row.fps == pytest.approx(1000 / row.mean_ms, rel=1e-3)
        assert row.ratio_interval[0] <= row.ratio_to_first <= row.ratio_interval[1]
        assert row.compute_ms is None
        assert row.backend == ("onnxruntime" if row.model == "edge" else "opencv")
    assert [row.ratio_to_first for row in rows[::2]] == [1, 1, 1, 1]
    assert result.models[0].parameters > 100_000
    assert len(capsys.readouterr().out.splitlines()) == 9


def test_stages_lie_beside_the_times(tmp_path: Path) -> None:
    arguments = ["edge", "--stages", "--size", "256x192", "--runs", "3", "--no-memory"]
    [row] = measured(tmp_path, *arguments).rows(LatencyRow)
    steps = sum(row.stages_ms[name] for name in ("thumbnail", "estimate", "apply"))
    around = row.stages_ms["call"] - row.stages_ms["around the steps"]
    assert around == pytest.approx(steps, abs=1e-5)
    assert main(["latency", "edge", "edge", "--stages"]) == 2


def test_frames_are_timed_with_compiled_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixel_passes, "_passes", numpy_passes)
    measured(tmp_path, "edge", "--size", "64x64", "--runs", "1", "--threads", "1", "--no-memory")
    assert pixel_passes._passes is not numpy_passes


def test_operators_are_printed_with_their_share(capsys: pytest.CaptureFixture[str]) -> None:
    size = ["--size", "256x192", "--runs", "3", "--threads", "1", "--no-memory"]
    assert main(["latency", "edge", "--operators", *size]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if "network" in line]
    shares = {words[1]: float(words[4].rstrip("%")) for words in lines}
    assert sum(shares.values()) == pytest.approx(100, abs=2)
    assert max(shares, key=lambda name: shares[name]) == lines[0][1] == "Conv"
    assert main(["latency", "edge", "dcp", "--operators"]) == 2


def test_a_backend_that_is_not_here_gives_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    if main(["latency", "edge", "--backends", "tensorrt", "--size", "64x64", "--runs", "1"]):
        assert capsys.readouterr().err.count("\n") == 1


def test_the_time_on_a_device_is_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class TimedSession(FunctionSession):
        def run(self, frames: Frames, strength: float) -> Frames:
            self.device_times = DeviceTimes(upload_ms=0.5, compute_ms=2.0, download_ms=0.25)
            return super().run(frames, strength)

    def opened(*_: object, **__: object) -> OpenedSession:
        return OpenedSession(TimedSession(lambda frames: frames), "tensorrt", "as asked")

    monkeypatch.setattr(latency, "open_session", opened)
    arguments = ["edge", "--backends", "tensorrt", "--size", "64x64", "--runs", "3", "--no-memory"]
    result = measured(tmp_path, *arguments)
    [row] = result.rows(LatencyRow)
    assert (row.copy_ms, row.compute_ms, row.copy_back_ms) == (0.5, 2.0, 0.25)
    assert (result.models[0].backend, result.models[0].why) == ("tensorrt", "as asked")
    assert "copy 0.50, compute 2.00, copy back 0.25 ms" in capsys.readouterr().out


def test_memory_is_that_of_the_model_and_not_of_who_asks() -> None:
    """getrusage would count what this process holds."""
    held = np.ones(600 * 2**20 // 8)
    small, large = (peak_memory("edge", "onnxruntime", 1, *s) for s in ((64, 64), (2560, 2560)))
    assert small.before_mib < small.mib < 500 < held.nbytes / 2**20
    frames = 2 * 2560 * 2560 * 3 / 2**20  # the frame and what is made of it
    assert large.mib - small.mib > 0.9 * frames


def test_what_slows_both_cancels_out_in_pairs() -> None:
    rng = np.random.default_rng(0)
    common = rng.lognormal(0, 0.5, 60)
    base, other = 10 * common, 11 * common * rng.normal(1, 0.005, 60)
    low, high = ratio_interval(other, base, paired=True)
    assert low < 1.1 < high
    assert high - low < 0.1
    alone = ratio_interval(other, base, paired=False)
    assert alone[1] - alone[0] > 3 * (high - low)


def test_intervals_hold_what_they_promise() -> None:
    """The true mean lies in about 95 % of them."""
    inside: list[Any] = []
    scenes = [str(number) for number in range(40)]
    for seed in range(200):
        low, high = mean_interval(np.random.default_rng(seed).normal(5, 1, 40), scenes)
        inside.append(low <= 5 <= high)
    assert 0.88 <= np.mean(inside) <= 0.99


def test_a_median_is_stable_with_enough_or_quiet_samples() -> None:
    rng = np.random.default_rng(0)
    assert not median_is_stable(np.array([1.0, 1.0, 1.0]), 0.02)  # too few to know
    assert not median_is_stable(rng.normal(10, 3, 20), 0.02)
    assert median_is_stable(rng.normal(10, 0.05, 20), 0.02)
    assert median_is_stable(rng.normal(10, 1, 2000), 0.02)


def test_baselines_and_models_from_elsewhere_are_timed_beside_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "other.onnx"
    onnx.save(onnx.parser.parse_model(OTHER), path)
    methods = ["edge", "clahe", f"{path}@input=0..1"]
    sizes = ["--size", "128x96", "--threads", "1", "--runs", "3"]
    assert main(["latency", *methods, *sizes, "--json", "-"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [row["model"] for row in document["results"]] == methods
    assert [model["backend"] for model in document["models"]][:2] == ["onnxruntime", "opencv"]
    for row in document["results"]:
        assert row["p50_ms"] > 0
        assert row["peak_memory_mib"] > row["memory_before_mib"] > 0


@pytest.mark.parametrize("size", ["0x0", "0x64", "64x0", "99999x99999", "9" * 30 + "x1", "64", "x"])
def test_sizes_that_no_picture_has_give_2(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["latency", "none", "--size", size])
    assert left.value.code == 2
    assert f"got {size}" in capsys.readouterr().err


def test_rows_can_be_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    twice = ["--size", "64x64", "64x64", "--threads", "1", "1", "--backends", "auto", "onnxruntime"]
    result = measured(tmp_path, "edge", *twice, "--runs", "2", "--no-memory")
    assert len(result.rows(LatencyRow)) == len(result.models) == 1
    for command in (["latency"], ["quality", "--data", str(tmp_path)]):
        (tmp_path / "a.png").touch()
        assert main([command[0], "none", "none", *command[1:]]) == 2
        assert "expected each METHOD once, got none twice" in capsys.readouterr().err


def test_models_that_cannot_be_timed_are_told_with_a_hint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "other.onnx"
    onnx.save(onnx.parser.parse_model(OTHER), path)
    assert main(["latency", str(path)]) == 1
    assert f"{path}@input=0..1,multiple=16 for example" in capsys.readouterr().err
    assert main(["latency", "egde"]) == 1
    assert "edge, dcp, clahe, none" in capsys.readouterr().err
    assert main(["latency", "dcp", "--stages"]) == 2
    assert "one model of ours, got dcp" in capsys.readouterr().err


def test_tegrastats_ends_with_what_it_measures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "tegrastats"
    program.write_text("#!/bin/sh\nexec sleep 20\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    started = time.perf_counter()
    with pytest.raises(ZeroDivisionError):
        measure_power(lambda: 1 / 0)
    assert time.perf_counter() - started < 10
