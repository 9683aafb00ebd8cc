"""Which of the names on a command line are inputs, and which is the output."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import pytest
from conftest import VideoMaker, picture, video_frames

from dehaze.runtime import UsageError
from dehaze.runtime.cli import main
from dehaze.runtime.files.download import downloaded
from dehaze.runtime.files.plan import plan_jobs, split_paths


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of three pictures, which is the current one."""
    for name in "abc":
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture(64, 64))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_last_name_is_the_output_where_it_is_a_folder_or_nothing(photos: Path) -> None:
    (photos / "there").mkdir()
    for output in ("there", "new", "new/", "new.png"):
        assert split_paths(["a.png", output]) == (["a.png"], output)
    assert split_paths(["a.png"]) == (["a.png"], None)
    assert split_paths(["a.png", "b.png"]) == (["a.png", "b.png"], None)
    assert split_paths(["a.png", "b.png", "c.png"]) == (["a.png", "b.png", "c.png"], None)


@pytest.mark.parametrize("names", [["a.png", "b.png"], ["a.png", "b.png", "c.png"]])
def test_a_glob_of_a_shell_writes_over_no_input(names: list[str], photos: Path) -> None:
    before = {name: (photos / name).read_bytes() for name in names}
    for _ in range(2):  # the second time with the results among the names
        found = sorted({*names, *(path.name for path in photos.glob("?-dehazed.png"))})
        assert main([*found, "--overwrite", "--strength", "0"]) == 0
    assert {name: (photos / name).read_bytes() for name in names} == before
    expected = {*"abc"} | {f"{name[0]}-dehazed" for name in names}
    assert {path.stem for path in photos.glob("*.png")} == expected


def test_results_of_several_inputs_go_into_a_folder(photos: Path) -> None:
    assert main(["a.png", "b.png", "out", "--strength", "0"]) == 0
    assert {path.name for path in (photos / "out").iterdir()} == {
        "a-dehazed.png",
        "b-dehazed.png",
    }
    with pytest.raises(UsageError, match="expected a folder for the results of 2 inputs"):
        plan_jobs(["a.png", "b.png"], "typo.png", "-dehazed")


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A web server of the folder."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = partial(Handler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_file_on_a_web_server_is_a_file(
    address: str, make_video: VideoMaker, tmp_path: Path
) -> None:
    make_video(frames=30, audio=True)
    assert main([f"{address}/clip.mp4", str(tmp_path / "out.mp4"), "--strength", "0"]) == 0
    assert len(video_frames(tmp_path / "out.mp4")) == 30
    assert b"mp4a" in (tmp_path / "out.mp4").read_bytes()


@pytest.mark.parametrize("name", ["missing.mp4", "notes.txt", ""])
def test_what_is_no_file_is_left_to_the_live_reader(name: str, address: str) -> None:
    with downloaded(f"{address}/{name}") as path:
        assert path is None
