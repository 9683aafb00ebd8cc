from __future__ import annotations

import json
from pathlib import Path

import av
import pytest
from conftest import VideoMaker

from dehaze.benchmarks.cli import main
from dehaze.benchmarks.report.tables import summary
from dehaze.benchmarks.results.changes import changes
from dehaze.benchmarks.results.file import read_result
from dehaze.benchmarks.results.records import VideoRow
from dehaze.benchmarks.video.transcode import scaled_copy, transcode


def test_a_video_is_measured_beside_transcoding(
    make_video: VideoMaker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = make_video(frames=10), tmp_path / "video.json"
    assert main(["video", str(source), "--runs", "2", "--json", str(target)]) == 0
    assert "10 frames" in capsys.readouterr().out
    result = read_result(target)
    (row,) = result.rows(VideoRow)
    assert (row.width, row.height, row.frames) == (96, 64, 10)
    assert len(row.cpu_seconds) == len(row.plain_cpu_seconds) == 2
    low, high = row.cpu_ratio_interval
    assert 1 < low <= row.cpu_ratio <= high  # it opens a network, too
    assert row.peak_memory_mib > row.plain_peak_memory_mib > 10
    assert row.fps > 0 and set(row.stages_ms) == {"decode", "inference", "encode"}
    assert summary(result).rows[0][:2] == ["edge", "96\N{MULTIPLICATION SIGN}64"]
    assert {change.verdict for change in changes(result, result, 0.05)} == {""}


def test_sizes_are_measured_one_by_one(make_video: VideoMaker, tmp_path: Path) -> None:
    target = tmp_path / "video.json"
    arguments = ["video", str(make_video(frames=3)), "--sizes", "64x64", "128x96", "--runs", "1"]
    assert main([*arguments, "--json", str(target)]) == 0
    rows = json.loads(target.read_text())["results"]
    assert [(row["width"], row["height"]) for row in rows] == [(64, 64), (128, 96)]
    assert [row["video"] for row in rows] == ["clip.mp4"] * 2


def test_plain_transcoding_keeps_every_frame(make_video: VideoMaker, tmp_path: Path) -> None:
    source, target = str(make_video(frames=9)), str(tmp_path / "out.mp4")
    assert transcode(source, target, "libx264", "yuv420p", {"crf": "20"}) == 9
    with av.open(target) as container:
        assert sum(1 for _ in container.decode(video=0)) == 9
    scaled_copy(source, target, (192, 128), 5)
    with av.open(target) as container:
        assert [(f.width, f.height) for f in container.decode(video=0)] == [(192, 128)] * 5


def test_a_file_that_is_no_video_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "notes.mp4"
    path.write_text("no video\n" * 100)
    assert main(["video", str(path)]) != 0
    error = capsys.readouterr().err
    assert "notes.mp4: expected a video" in error and "Traceback" not in error
