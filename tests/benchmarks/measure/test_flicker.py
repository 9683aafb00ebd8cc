from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from conftest import VideoMaker

from dehaze.benchmarks import flicker_command
from dehaze.benchmarks.cli import main
from dehaze.benchmarks.measure.flicker import Flicker

VIDEOS = Path(__file__).parents[4] / "shared" / "data" / "video"


@pytest.mark.skipif(not VIDEOS.is_dir(), reason="needs the real videos of ../shared/data")
def test_smoothing_takes_away_two_fifths_of_the_flicker_of_the_real_video_and_costs_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pair = ["--hazy", f"{VIDEOS}/room-hazy.mp4", "--clear", f"{VIDEOS}/room-clear.mp4"]
    assert main(["flicker", "edge", *pair, "--every", "2", "--json", "-"]) == 0
    alone, smooth = json.loads(capsys.readouterr().out)["results"]
    assert alone["frames"] == smooth["frames"] == 180
    assert smooth["error_deviation"] <= 0.6 * alone["error_deviation"]
    assert smooth["error_change"] <= 0.5 * alone["error_change"]
    assert smooth["psnr_db"] >= alone["psnr_db"] - 0.1


def test_videos_that_do_not_belong_together_are_told(
    make_video: VideoMaker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = []
    for name, frames, size in (("a", 4, (96, 64)), ("b", 6, (96, 64)), ("c", 4, (128, 64))):
        made = make_video(frames=frames, size=size)
        paths.append(str(made.rename(tmp_path / f"{name}.mp4")))
    one, longer, larger = paths
    assert main(["flicker", "edge", "--hazy", one, "--clear", longer]) == 1
    assert "expected as many frames" in capsys.readouterr().err
    assert main(["flicker", "edge", "--hazy", one, "--clear", larger]) == 1
    assert "frames of one size" in capsys.readouterr().err


def test_a_video_that_stands_still_has_no_flicker_to_divide_by(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def still(*_: object) -> Flicker:
        return Flicker(frames=3, psnr_db=math.inf, error_deviation=0.0, error_change=0.0)

    monkeypatch.setattr(flicker_command, "measure_flicker", still)
    video, path = tmp_path / "a.mp4", tmp_path / "flicker.json"
    video.touch()
    arguments = ["flicker", "edge", "--hazy", str(video), "--clear", str(video)]
    assert main([*arguments, "--json", str(path)]) == 0
    assert "smoothed is 1.00 and 1.00 times that" in capsys.readouterr().out
    assert main(["report", str(path), "--out", str(tmp_path / "a.md")]) == 0
    assert main(["compare", str(path), str(path)]) == 0
