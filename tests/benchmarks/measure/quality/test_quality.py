from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import picture
from numpy.typing import NDArray

from dehaze.benchmarks.cli import main
from dehaze.benchmarks.measure.datasets import pictures_to_measure
from dehaze.benchmarks.results.file import read_result
from dehaze.benchmarks.results.intervals import mean_interval
from dehaze.benchmarks.results.records import QualityRow
from dehaze.runtime import open_dehazer


def write(path: Path, pixels: NDArray[Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), pixels)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """SOTS-indoor's layout: two scenes, three hazy pictures of two levels."""
    for name in ("hazy/1400_1", "hazy/1400_10", "hazy/1401_1", "clear/1400", "clear/1401"):
        write(tmp_path / f"{name}.png", picture(64, 80, len(name)))
    return tmp_path


def measured(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """The JSON, and in `rows` what it says of each method."""
    assert main(["quality", *arguments, "--json", "-"]) == 0
    record: dict[str, Any] = json.loads(capsys.readouterr().out)
    rows = {row["model"]: {**row["means"], **row} for row in record["results"]}
    return {**record, "rows": rows}


def psnr(result: NDArray[Any], clear: NDArray[Any]) -> float:
    return float(10 * np.log10(255**2 / np.mean((result.astype(float) - clear) ** 2)))


def ssim_of_wang_et_al(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Written from the paper: 11x11 Gaussian window of sigma 1.5, valid places alone."""
    line = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2

    def mean(values: NDArray[Any]) -> NDArray[Any]:
        places = np.lib.stride_tricks.sliding_window_view(values, (11, 11), axis=(0, 1))
        return np.einsum("hwcij,ij->hwc", places, window)

    x, y = one.astype(float), other.astype(float)
    mx, my = mean(x), mean(y)
    vx, vy, vxy = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    ssim = (2 * mx * my + c1) * (2 * vxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    return float(ssim.mean())


def test_quality_is_that_of_the_formulas(pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = measured(capsys, "edge", "--data", str(pairs))
    assert record["data"]["layout"] == "SOTS-indoor"
    assert "Gaussian window" in record["protocol"]["SSIM"]
    report = record["rows"]["edge"]
    expected = []
    with open_dehazer() as dehazer:
        for item in pictures_to_measure(pairs).items:
            hazy, clear = (
                cv2.imread(str(path))[..., ::-1].copy() for path in (item.hazy, item.clear)
            )
            result = dehazer(hazy)
            expected.append((psnr(result, clear), ssim_of_wang_et_al(result, clear)))
    assert len(report["pictures"]) == 3
    assert report["psnr_db"] == pytest.approx(np.mean([p for p, _ in expected]), abs=2e-3)
    assert report["ssim"] == pytest.approx(np.mean([s for _, s in expected]), abs=2e-4)
    low, high = report["intervals"]["psnr_db"]
    assert low <= report["psnr_db"] <= high
    (model,) = record["models"]
    assert model["backend"] == "onnxruntime"
    assert record["data"]["number"] == 5  # pictures, hazy and clear


def test_levels_have_means_of_their_own(pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = measured(capsys, "none", "--data", str(pairs))["rows"]["none"]
    by_name = {score["name"]: score["psnr_db"] for score in report["pictures"]}
    levels = {score["name"]: score["haze"] for score in report["pictures"]}
    assert levels["1400_1"] == levels["1401_1"] == "_1 (beta 0.6)"
    mean = (by_name["1400_1"] + by_name["1401_1"]) / 2
    assert main(["quality", "none", "--data", str(pairs), "--levels"]) == 0
    printed = capsys.readouterr().out
    assert "SOTS-indoor, 3 hazy pictures" in printed
    assert f"_1 (beta 0.6) 2 pictures, PSNR {mean:.2f} dB" in " ".join(printed.split())
    assert "_10 (beta 1.5)" in printed
    assert "scikit-image" in printed  # the protocol


def test_the_interval_counts_scenes_not_pictures() -> None:
    values = np.random.default_rng(1).normal(20, 3, 40)
    names = [str(index) for index in range(40)]
    low, high = mean_interval(values, names)
    deviation = values.std() / np.sqrt(40)
    assert high - values.mean() == pytest.approx(1.96 * deviation, rel=0.1)
    assert values.mean() - low == pytest.approx(1.96 * deviation, rel=0.1)
    ten_times = mean_interval(np.repeat(values, 10), list(np.repeat(names, 10)))
    assert ten_times[1] - ten_times[0] == pytest.approx(high - low, rel=0.05)


def test_a_clear_picture_with_a_border_is_cut(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """RESIDE's hazy pictures lack NYU's 10 pixels a side in some releases."""
    clear = picture(84, 100)
    write(tmp_path / "hazy/1_1.png", clear[10:-10, 10:-10])
    write(tmp_path / "gt/1.png", clear)
    report = measured(capsys, "none", "--data", str(tmp_path))["rows"]["none"]
    assert report["psnr_db"] is None  # identical
    assert report["ssim"] == 1
    write(tmp_path / "gt/1.png", picture(90, 110))
    assert main(["quality", "none", "--data", str(tmp_path)]) == 1
    assert "expected the size of" in capsys.readouterr().err


def test_do_no_harm_says_what_is_left_of_clear_pictures(
    pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["edge", "clahe", "none", "--data", str(pairs), "--do-no-harm"]
    report = measured(capsys, *arguments)["rows"]
    clear = [cv2.imread(str(pairs / f"clear/{n}.png"))[..., ::-1].copy() for n in (1400, 1401)]
    with open_dehazer() as dehazer:
        expected = [psnr(dehazer(pixels), pixels) for pixels in clear]
    left = {name: row["clear_pictures"] for name, row in report.items()}
    assert [one["psnr_db"] for one in left["edge"]] == pytest.approx(expected, abs=1e-3)
    assert all("auto_psnr_db" in one for one in left["edge"])
    assert all(one["psnr_db"] < 40 and "auto_psnr_db" not in one for one in left["clahe"])
    assert [one["psnr_db"] for one in left["none"]] == [None, None]  # nothing changed
    assert main(["quality", *arguments]) == 0
    assert "unchanged (worst unchanged, 2 of 2 as they were)" in capsys.readouterr().out


def test_photographs_get_figures_without_reference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiles = np.random.default_rng(0).integers(130, 160, (16, 20, 3)).astype(np.uint8)
    write(tmp_path / "road.png", tiles.repeat(4, axis=0).repeat(4, axis=1))
    record = measured(capsys, "none", "clahe", "--data", str(tmp_path))
    assert record["data"]["layout"] == "photographs"
    none, clahe = record["rows"]["none"], record["rows"]["clahe"]
    assert (none["e"], none["r"], none["sigma"]) == (0, 1, 0)
    assert clahe["r"] > 1.5
    assert (none["contrast"], none["cast"], none["dark"], none["crushed"]) == (1, 0, 0, 0)
    assert clahe["contrast"] > 1.5
    assert record["protocol"]["noise"].endswith("lower is better")
    assert main(["quality", "none", "--data", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "1 photographs, contrast 1.00, noise 0." in printed
    assert "new visible edges e +0.000" in printed
    assert "dark: how much lightness flat blocks lose" in printed
    assert main(["quality", "none", "--data", str(tmp_path), "--do-no-harm"]) == 2


def test_piqe_and_brisque_of_the_hazy_photograph_stand_beside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pypiqe = pytest.importorskip("pypiqe", reason="needs pip install --no-deps pypiqe")
    brisque = pytest.importorskip("brisque", reason="needs pip install brisque")
    noise = np.random.default_rng(0).normal(0, 12, (96, 128, 3))
    pixels = np.clip(picture(96, 128) + noise, 0, 255).astype(np.uint8)
    write(tmp_path / "data" / "road.png", pixels)
    write(tmp_path / "data" / "wall.png", np.full((96, 128, 3), 128, np.uint8))
    old = tmp_path / "old.json"
    arguments = ["quality", "none", "clahe", "--data", str(tmp_path / "data")]
    assert main([*arguments, "--json", str(old)]) == 0
    assert f", PIQE {(pypiqe.piqe(pixels)[0] + 100) / 2:.1f} (hazy " in capsys.readouterr().out
    none, clahe = read_result(old).rows(QualityRow)
    road, wall = none.pictures
    assert road["piqe"] == road["hazy_piqe"] == pytest.approx(pypiqe.piqe(pixels)[0], abs=1e-3)
    expected = brisque.BRISQUE(url=False).score(pixels[..., ::-1])
    assert road["brisque"] == road["hazy_brisque"] == pytest.approx(expected, abs=1e-3)
    assert (wall["piqe"], wall["brisque"]) == (100, None)  # one colour has no statistics
    assert clahe.means["hazy_piqe"] == none.means["piqe"] != clahe.means["piqe"]
    assert main(["compare", str(old), str(old)]) == 0
    assert "clahe: brisque (1 pictures)" in capsys.readouterr().out


def test_figures_whose_package_is_absent_are_said_and_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pypiqe", None)
    monkeypatch.setitem(sys.modules, "brisque", None)
    write(tmp_path / "road.png", picture(64, 80))
    assert main(["quality", "none", "--data", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "PIQE is not measured" in printed
    assert "pip install --no-deps pypiqe" in printed
    assert "PIQE: " not in printed
    means = measured(capsys, "none", "--data", str(tmp_path))["rows"]["none"]["means"]
    assert not {"piqe", "brisque"} & means.keys()


def layers_of_alexnet() -> Any:
    """All that torchmetrics takes of torchvision's AlexNet."""
    from torch import nn

    relu, pool = nn.ReLU, partial(nn.MaxPool2d, 3, 2)
    first = [nn.Conv2d(3, 64, 11, 4, 2), relu(), pool(), nn.Conv2d(64, 192, 5, 1, 2), relu()]
    second = [pool(), nn.Conv2d(192, 384, 3, 1, 1), relu(), nn.Conv2d(384, 256, 3, 1, 1), relu()]
    return nn.Sequential(*first, *second, nn.Conv2d(256, 256, 3, 1, 1), relu(), pool())


def test_lpips_is_that_of_torchmetrics(
    pairs: Path,
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch = pytest.importorskip("torch", reason="needs the extra train")
    lpips = pytest.importorskip("torchmetrics.functional.image.lpips")
    torch.manual_seed(0)
    layers = layers_of_alexnet()
    folder = tmp_path_factory.mktemp("torch")
    monkeypatch.setenv("TORCH_HOME", str(folder))
    weights = folder / "hub" / "checkpoints" / "alexnet-owt-7be5be79.pth"
    assert main(["quality", "none", "--data", str(pairs)]) == 0
    assert f"LPIPS is not measured (no {weights}): curl " in capsys.readouterr().out

    weights.parent.mkdir(parents=True)
    state = {f"features.{name}": value for name, value in layers.state_dict().items()}
    torch.save({**state, "classifier.1.weight": torch.zeros(1)}, weights)
    found = measured(capsys, "none", "clahe", "--data", str(pairs))
    # torchvision, from which torchmetrics takes the layers, need not be there.
    monkeypatch.setattr(lpips, "_get_tv_model_features", lambda *_: layers)
    network = lpips._NoTrainLpips(net="alex")
    expected = []
    for item in pictures_to_measure(pairs).items:
        hazy, clear = (
            torch.from_numpy(cv2.imread(str(path))[..., ::-1].copy()).permute(2, 0, 1)[None] / 255
            for path in (item.hazy, item.clear)
        )
        expected.append(float(network(hazy, clear, normalize=True)))
    none, clahe = found["rows"]["none"], found["rows"]["clahe"]
    assert [score["lpips"] for score in none["pictures"]] == pytest.approx(expected, abs=2e-5)
    assert min(expected) > 1e-3
    assert clahe["hazy_lpips"] == none["lpips"] == pytest.approx(np.mean(expected), abs=1e-4)
    assert clahe["lpips"] != none["lpips"]
    assert "AlexNet, SHA-256 " in found["protocol"]["LPIPS"]

    weights.write_bytes(b"<html>")
    assert main(["quality", "none", "--data", str(pairs)]) == 1
    assert f"{weights}: expected AlexNet's weights" in capsys.readouterr().err


@pytest.mark.parametrize("case", ["empty", "deep", "tiny"])
def test_what_cannot_be_measured_gives_one_line(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if case == "deep":
        write(tmp_path / "a.png", np.zeros((40, 40, 3), np.uint16))
    if case == "tiny":
        write(tmp_path / "a.png", np.zeros((8, 40, 3), np.uint8))
    assert main(["quality", "none", "--data", str(tmp_path)]) == 1
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "expected" in printed


def test_a_mistake_in_the_last_method_is_told_before_anything_is_measured(
    pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["quality", "none", "egde", "--data", str(pairs)]) == 1
    printed = capsys.readouterr()
    assert "PSNR" not in printed.out
    assert "'egde' is neither a file nor one of" in printed.err


def test_edge_scores_on_sots_indoor_what_the_readme_says(shared_data: Path) -> None:
    """The shipped model on all 100 pictures; SSIM is left to dehaze-bench quality."""
    stored = Path(__file__).parents[4] / "docs" / "benchmark" / "quality.json"
    row = next(row for row in read_result(stored).rows(QualityRow) if row.model == "edge")
    expected = {picture["name"]: picture["psnr_db"] for picture in row.pictures}
    differences = []
    with open_dehazer("edge") as dehazer:
        for item in pictures_to_measure(shared_data / "sots-indoor").items:
            result = dehazer(cv2.imread(str(item.hazy), cv2.IMREAD_COLOR_RGB))
            score = psnr(result, cv2.imread(str(item.clear), cv2.IMREAD_COLOR_RGB))
            differences.append(score - expected[item.hazy.stem])
    assert len(differences) == len(expected) == 100
    assert abs(np.mean(differences)) < 0.02  # other kernels round otherwise
    assert max(map(abs, differences)) < 0.3
