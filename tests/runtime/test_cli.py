from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from conftest import VideoMaker, error_lines, picture, video_frames

from dehaze.runtime.cli import main


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), picture(72, 100))
    return path


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if ".part" in path.name]


def test_a_picture_lands_beside_the_input(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(photo)]) == 0
    result = photo.with_name("photo-dehazed.png")
    assert cv2.imread(str(result)).shape == (72, 100, 3)
    line = capsys.readouterr().out
    assert "photo-dehazed.png: 1 frame in" in line
    assert "p50/p95 ms: decode" in line
    assert leftovers(photo.parent) == []


def test_strength_0_gives_the_same_pixels(photo: Path) -> None:
    assert main([str(photo), "--strength", "0"]) == 0
    result = cv2.imread(str(photo.with_name("photo-dehazed.png")))
    assert np.array_equal(result, cv2.imread(str(photo)))


def test_side_by_side_doubles_the_width(photo: Path) -> None:
    assert main([str(photo), str(photo.with_name("both.png")), "--side-by-side"]) == 0
    both = cv2.imread(str(photo.with_name("both.png")))
    assert both.shape == (72, 200, 3)
    assert np.array_equal(both[:, :100], cv2.imread(str(photo)))


def test_json_is_one_object_on_standard_output(
    make_video: VideoMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    source = make_video(frames=7)
    assert main([str(source), "--json", "--threads", "1", "--strength", "0.5"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["frames"] == 7 == len(video_frames(Path(figures["output"])))
    assert figures["model"] == "edge"
    assert figures["strength"] == 0.5
    assert (figures["width"], figures["height"]) == (96, 64)
    assert figures["fps"] == pytest.approx(7 / figures["seconds"], rel=0.05)
    for stage in ("decode", "inference", "encode"):
        assert figures[f"{stage}_ms"]["p95"] >= figures[f"{stage}_ms"]["p50"] > 0


def test_a_folder_is_done_file_by_file_and_resumes(
    photo: Path, make_video: VideoMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    make_video()
    folder, out = photo.parent, photo.parent.parent / f"{photo.parent.name}-dehazed"
    (folder / "notes.txt").write_text("no picture")
    assert main([str(folder)]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["clip.mp4", "photo.png"]
    assert "2 done, 0 skipped, 0 failed" in capsys.readouterr().out
    assert main([str(folder), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["skipped"]) == 2


def test_one_bad_file_of_a_batch_gives_5_and_the_others_are_done(
    photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photo.parent / "a-broken.jpg").write_text("nothing")
    assert main([str(photo.parent / "*.*g"), str(photo.parent / "out")]) == 5
    assert (photo.parent / "out" / "photo-dehazed.png").exists()
    printed = capsys.readouterr()
    assert "a-broken.jpg: expected a picture" in printed.err
    assert "1 of 2 files failed" in printed.err


def test_a_glob_does_not_take_its_own_results(photo: Path) -> None:
    pattern = str(photo.parent / "*.png")
    assert main([pattern]) == 0
    assert main([pattern, "--overwrite"]) == 0
    assert len(list(photo.parent.glob("*.png"))) == 2


def test_list_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list-models"]) == 0
    assert capsys.readouterr().out.startswith("edge: ")
    assert main(["--list-models", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["models"][0]["name"] == "edge"


def _broken_inputs(folder: Path) -> dict[str, tuple[list[str], str]]:
    """Arguments and the words that the message must have."""
    (folder / "notes.mp4").write_text("not a video\n" * 50)
    cv2.imwrite(str(folder / "dot.png"), np.zeros((1, 1, 3), np.uint8))
    cv2.imwrite(str(folder / "good.png"), picture(64, 64))
    (folder / "taken.png").write_text("mine")
    (folder / "model.onnx").write_text("not onnx")
    theirs = onnx.parser.parse_model(
        '<ir_version: 9, opset_import: ["" : 20]> g (float[N] x) => (float[N] y) { y = Relu (x) }'
    )
    onnx.save(theirs, folder / "theirs.onnx")
    (folder / "empty").mkdir()
    good = str(folder / "good.png")
    return {
        "missing file": ([str(folder / "none.png")], "no such file"),
        "text as video": ([str(folder / "notes.mp4")], "expected a video"),
        "1x1 picture": ([str(folder / "dot.png")], "at least 64x64 pixels, got 1x1"),
        "unwritable folder": ([good, "/proc/none/out.png"], "cannot be written"),
        "output exists": ([good, "--output", str(folder / "taken.png")], "exists"),
        "output is input": ([good, "--output", good], "is the input itself"),
        "no model": ([good, "--model", "none"], "neither a file nor"),
        "not onnx": ([good, "--model", str(folder / "model.onnx")], "expected an ONNX model"),
        "not ours": ([good, "--model", str(folder / "theirs.onnx")], "dehaze.format"),
        "empty folder": ([str(folder / "empty")], "found none"),
        "long name": ([str(folder / ("n" * 300))], "cannot be read"),
        "unknown format": ([good, str(folder / "out.xyz")], "expected a picture name"),
    }


@pytest.mark.parametrize(
    "case",
    [
        "missing file",
        "text as video",
        "1x1 picture",
        "unwritable folder",
        "output exists",
        "output is input",
        "no model",
        "not onnx",
        "not ours",
        "empty folder",
        "long name",
        "unknown format",
    ],
)
def test_bad_input_gives_one_line_and_leaves_nothing(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, words = _broken_inputs(tmp_path)[case]
    before = sorted(tmp_path.rglob("*"))
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = error_lines(printed.err)
    assert line.startswith("dehaze-run: ")
    assert words in line
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "taken.png").read_text() == "mine"


def test_names_that_cannot_be_made_give_2(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main([str(photo), "--suffix", "/q"]) == 2
    assert main([str(photo.parent), "--suffix", ""]) == 2
    assert main([str(photo), "--codec", "h267"]) == 2
    monkeypatch.chdir(photo.parent)
    assert main(["."]) == 0
    assert (photo.parent.parent / f"{photo.parent.name}-dehazed" / "photo.png").exists()


def test_two_inputs_for_one_output_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "x.png"), picture(64, 64))
    assert main([str(tmp_path / "*" / "x.png"), str(tmp_path / "out")]) == 1
    assert "several inputs would become" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [[], ["--strength", "2"], ["--threads", "0"], ["--threads", "x"], ["--quality", "99"]],
)
def test_wrong_usage_gives_2(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["a.png", *options] if options else [])
    assert left.value.code == 2
    assert "dehaze-run: error:" in capsys.readouterr().err


def test_a_truncated_video_leaves_no_output(
    make_video: VideoMaker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = make_video(frames=100, faststart=True)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    assert main([str(cut), str(tmp_path / "out.mp4")]) == 1
    (message,) = error_lines(capsys.readouterr().err)
    assert "cut off" in message or "damaged" in message
    assert not (tmp_path / "out.mp4").exists()
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_leaves_no_file(
    number: signal.Signals, make_video: VideoMaker, tmp_path: Path
) -> None:
    source, target = make_video(frames=2000, size=(160, 96)), tmp_path / "out.mp4"
    command = [sys.executable, "-m", "dehaze.runtime.cli", str(source), str(target)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not any(p.stat().st_size for p in tmp_path.glob("*.part*")):
        assert time.monotonic() < deadline, "nothing was written in a minute"
        time.sleep(0.05)
    os.kill(process.pid, number)
    _, message = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopped" in message
    assert "Traceback" not in message
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_a_batch_into_an_impossible_folder_fails_file_by_file(
    photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(photo.parent / "*.png"), str(photo.parent / ("n" * 300))]) == 5
    assert "cannot be written" in capsys.readouterr().err
