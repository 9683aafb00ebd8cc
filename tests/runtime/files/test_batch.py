from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import VideoMaker, error_lines, picture

from dehaze.runtime import FunctionSession, InputError, OutputError, UsageError
from dehaze.runtime.cli import main
from dehaze.runtime.dehazer import Dehazer
from dehaze.runtime.files.batch import run_batch, run_pictures
from dehaze.runtime.files.job import RunOptions
from dehaze.runtime.files.plan import Job, plan_jobs
from dehaze.runtime.files.shared_folder import locked_folders
from dehaze.runtime.media.notices import Notices
from dehaze.runtime.media.pictures import Picture, read_picture
from dehaze.runtime.output_file import finished_output, remove_leftovers


@pytest.fixture
def hazy(tmp_path: Path) -> Path:
    """A folder with a picture and two folders in it."""
    folder = tmp_path / "hazy"
    for name in ("a.png", "inner/b.png", "inner/deep/c.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), picture(64, 80))
    return folder


def files_below(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_a_tree_is_mirrored(hazy: Path) -> None:
    assert main([str(hazy), "--recursive"]) == 0
    clear = hazy.with_name("hazy-dehazed")
    assert files_below(clear) == files_below(hazy) == ["a.png", "inner/b.png", "inner/deep/c.png"]


def test_without_recursive_the_inner_folders_stay(hazy: Path) -> None:
    assert main([str(hazy)]) == 0
    assert files_below(hazy.with_name("hazy-dehazed")) == ["a.png"]


def test_an_output_inside_the_tree_is_not_dehazed_again(hazy: Path) -> None:
    arguments = [str(hazy), str(hazy / "inner" / "out"), "--recursive"]
    assert main(arguments) == 0
    assert main([*arguments, "--overwrite"]) == 0
    assert len(files_below(hazy)) == 6


def test_links_in_a_circle_end(hazy: Path) -> None:
    (hazy / "inner" / "up").symlink_to(hazy)
    (hazy / "inner" / "self.png").symlink_to(hazy / "inner" / "self.png")
    (hazy / "folder.png").mkdir()
    os.mkfifo(hazy / "pipe.png")
    plan = plan_jobs(str(hazy), None, "-clear", recursive=True)
    names = [str(job.source.relative_to(hazy)) for job in plan.jobs]
    assert names == ["a.png", "inner/b.png", "inner/self.png", "inner/deep/c.png"]


@pytest.mark.parametrize("name", ["pipe.mp4", "pipe.png", "socket.mkv"])
@pytest.mark.parametrize("pattern", ["", "/*"])
def test_what_is_no_file_is_left_out_of_a_folder_with_a_line(
    name: str, pattern: str, hazy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    special = hazy / name
    make_special(special)
    assert main([f"{hazy}{pattern}", "--output", str(hazy.with_name("clear"))]) == 0
    (line,) = error_lines(capsys.readouterr().err)
    assert (
        line == f"dehaze-run: {special}: left out, for it is no file but a pipe, socket or device"
    )


@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("pipe.png", "out.png"),
        ("socket.mp4", "out.mp4"),
        ("/dev/zero", "out.mp4"),
        ("socket.mp4", "udp://127.0.0.1:9"),
    ],
)
def test_what_is_no_file_is_refused_as_an_input(
    name: str, output: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_special(tmp_path / name)
    link = tmp_path / f"link{Path(output).suffix or '.mp4'}"
    link.symlink_to(tmp_path / name)
    assert main([str(link), "--output", output if "://" in output else str(tmp_path / output)]) == 1
    (line,) = error_lines(capsys.readouterr().err)
    assert line.startswith(f"dehaze-run: {link}: ")
    assert "expected a file, got a folder, pipe, socket or device" in line or (
        "cannot be read (No such device or address)" in line  # what Linux says of a socket
    )
    assert not (tmp_path / "out.mp4").exists()


def make_special(path: Path) -> None:
    """A pipe or socket, by the name."""
    if path.stem == "pipe":
        os.mkfifo(path)
    elif path.stem == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))


def test_a_link_to_a_folder_that_is_done_is_told(
    hazy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (hazy / "inner" / "up").symlink_to(hazy)
    (hazy / "self").symlink_to(hazy / "self")
    assert main([str(hazy), "--recursive"]) == 0
    (line,) = error_lines(capsys.readouterr().err)
    assert line.startswith(f"dehaze-run: {hazy}/inner/up: left out, for it links to a folder")
    assert files_below(hazy.with_name("hazy-dehazed")) == [
        "a.png",
        "inner/b.png",
        "inner/deep/c.png",
    ]


def test_folders_full_of_links_to_one_another_end(tmp_path: Path) -> None:
    """Ten have ten million paths."""
    folders = [tmp_path / "maze" / str(index) for index in range(10)]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "a.png").touch()
    for folder in folders:
        for other in folders:
            (folder / f"to-{other.name}").symlink_to(other)
    plan = plan_jobs(str(tmp_path / "maze"), None, "-clear", recursive=True)
    assert {job.source.resolve() for job in plan.jobs} == {f / "a.png" for f in folders}
    assert len(plan.jobs) <= 20


def test_a_path_longer_than_the_system_takes_fails_alone(hazy: Path) -> None:
    before = Path.cwd()
    os.chdir(hazy)
    try:
        for _ in range(25):
            Path("d" * 200).mkdir()
            os.chdir("d" * 200)
        Path("far.png").touch()
    finally:
        os.chdir(before)
    plan = plan_jobs(str(hazy), None, "-clear", recursive=True)
    names = [job.source.name for job in plan.jobs]
    assert names == ["a.png", "b.png", "c.png"]
    (error,) = plan.unreadable.values()
    assert error.endswith("d: cannot be read (File name too long)")


@pytest.mark.parametrize("link", ["symbolic", "hard", "folder"])
def test_an_input_is_not_replaced_through_a_link(
    link: str, hazy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, other = hazy / "a.png", tmp_path / "link-to-a.png"
    if link == "symbolic":
        other.symlink_to(source)
    elif link == "hard":
        other.hardlink_to(source)
    else:
        (tmp_path / "again").symlink_to(hazy)
        other = tmp_path / "again" / "a.png"
    before = source.read_bytes()
    assert main([str(source), "--output", str(other), "--overwrite"]) == 1
    assert f"{other} is the input itself; name another output" in capsys.readouterr().err
    assert source.read_bytes() == before


def test_recursive_needs_a_folder(hazy: Path) -> None:
    with pytest.raises(UsageError, match="--recursive expects a folder"):
        plan_jobs(str(hazy / "a.png"), None, "-clear", recursive=True)


def test_an_output_that_is_another_input_is_told(hazy: Path) -> None:
    twice = hazy / "inner" / "inner" / "b.png"
    twice.parent.mkdir()
    cv2.imwrite(str(twice), picture(64, 80))
    with pytest.raises(OutputError, match=r"inner/b\.png is another input"):
        plan_jobs(str(hazy / "inner"), str(hazy), "-clear", recursive=True)


def test_a_glob_of_nothing_but_results_finds_none(hazy: Path) -> None:
    (hazy / "inner" / "b-clear.png").write_bytes(b"")
    with pytest.raises(InputError, match="found none"):
        plan_jobs(str(hazy / "inner" / "*-clear.png"), None, "-clear")


def test_a_batch_tells_of_every_failure(
    hazy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (hazy / "empty.jpg").write_bytes(b"")
    (hazy / "gone.png").symlink_to(tmp_path / "nowhere.png")
    odd = hazy / os.fsdecode(b"caf\xe9\n.png")
    odd.write_text("no picture")
    told = tmp_path / "failures.jsonl"
    assert main([str(hazy), "--recursive", "--failures", str(told)]) == 5
    printed = capsys.readouterr()
    assert printed.out.splitlines()[-1].startswith("3 done, 0 skipped, 3 failed; ")
    assert len(error_lines(printed.err)) == 4
    assert r"caf\udce9\n.png: expected a picture" in printed.err
    failures = [json.loads(line) for line in told.read_text().splitlines()]
    assert {Path(f["input"]).name for f in failures} == {"empty.jpg", "gone.png", odd.name}
    assert main([str(hazy), "--recursive", "--json"]) == 5  # the failures are tried again
    report = json.loads(capsys.readouterr().out)
    assert report["failed"] == failures
    assert len(report["skipped"]) == 3


def test_a_name_that_is_not_UTF_8_is_dehazed(tmp_path: Path) -> None:
    source = tmp_path / os.fsdecode(b"caf\xe9.png")
    cv2.imwrite(str(tmp_path / "a.png"), picture(64, 80))
    (tmp_path / "a.png").rename(source)
    command = [sys.executable, "-m", "dehaze.runtime.cli", tmp_path, tmp_path / "out"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "out" / source.name).exists()


def test_a_file_that_vanishes_fails_alone(hazy: Path) -> None:
    jobs = [Job(hazy / name, hazy / f"out-{name}") for name in ("a.png", "gone.png")]
    with Dehazer(FunctionSession(lambda frames: frames)) as dehazer:
        done, gone = run_batch(jobs, dehazer, RunOptions())
    assert done.figures is not None
    assert gone.error is not None
    assert "gone.png: cannot be read (No such file" in gone.error


def test_a_result_that_another_run_made_meanwhile_is_kept(hazy: Path) -> None:
    target = hazy / "out.png"

    def meanwhile(frames: np.ndarray) -> np.ndarray:
        target.write_text("theirs")
        return frames

    with Dehazer(FunctionSession(meanwhile)) as dehazer:
        (outcome,) = run_batch([Job(hazy / "a.png", target)], dehazer, RunOptions())
    assert outcome.figures is outcome.error is None
    assert target.read_text() == "theirs"


def test_a_batch_left_early_ends_its_threads(hazy: Path) -> None:
    before = threading.active_count()
    jobs = [Job(hazy / "a.png", hazy / f"{index}.png") for index in range(50)]
    with Dehazer(FunctionSession(lambda frames: frames)) as dehazer:
        outcomes = run_batch(jobs, dehazer, RunOptions())
        next(outcomes)
        outcomes.close()
    assert threading.active_count() == before
    assert len(list(hazy.glob("*.png"))) < 50


def test_pictures_larger_than_the_memory_bound_pass(
    hazy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dehaze.runtime.files.batch._BYTES_HELD", 1000)
    jobs = [Job(hazy / "a.png", hazy / f"{index}.png") for index in range(9)]
    with Dehazer(FunctionSession(lambda frames: frames)) as dehazer:
        outcomes = list(run_batch(jobs, dehazer, RunOptions()))
    assert all(outcome.figures for outcome in outcomes)
    assert len(outcomes) == 9


def test_a_batch_names_its_backend_as_a_single_picture_does(
    hazy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = []
    for source in (hazy / "a.png", hazy, hazy):  # the second batch finds all of it done
        assert main([str(source), "--json", "--strength", "0.5"]) == 0
        printed = capsys.readouterr()
        figures = json.loads(printed.out)
        assert f"backend: {figures['backend']}" in printed.err.splitlines()
        told.append([figures[name] for name in ("model", "backend", "strength")])
    assert told[0] == told[1] == told[2]
    assert told[0][1].startswith("onnxruntime")


def test_a_single_failure_is_JSON_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.png"), "--json"]) == 1
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert report["input"] == str(tmp_path / "none.png")
    assert "no such file" in report["error"]
    assert len(error_lines(printed.err)) == 1


def test_without_ray_one_line_says_what_to_install(
    hazy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main([str(hazy / "*.png"), "--ray", "local"]) == 1
    assert "pip install 'dehaze-edge[ray]'" in capsys.readouterr().err
    assert main([str(hazy / "a.png"), "--ray", "local"]) == 2
    assert "--ray is for folders and globs" in capsys.readouterr().err


def test_leftovers_of_dead_runs_go_and_others_stay(tmp_path: Path) -> None:
    with finished_output(tmp_path / "a.png", overwrite=False) as ours:
        machine, pid, _ = ours.name.split("-")
        dead = subprocess.Popen([sys.executable, "-c", ""])
        dead.wait()
        ours_before = tmp_path / f"{machine}-{pid}-999.part.png"  # a container's process number 1
        of_dead = tmp_path / f"{machine}-{dead.pid}-0.part.mp4"
        of_parent = tmp_path / f"{machine}-{os.getppid()}-0.part.png"
        elsewhere = tmp_path / f".00000000-{dead.pid}-0.part.png"
        theirs = tmp_path / ".1234.part"
        for path in (ours_before, of_dead, of_parent, elsewhere, theirs):
            path.touch()
        assert remove_leftovers(tmp_path) == []
        assert sorted(tmp_path.iterdir()) == sorted((ours, of_parent, elsewhere, theirs))
    assert remove_leftovers(tmp_path / "nowhere") == []


def test_a_recording_that_has_its_name_already_is_not_recovered_again(tmp_path: Path) -> None:
    """A run that was killed, or could not remove the unfinished name, leaves both."""
    with finished_output(tmp_path / "a.png", overwrite=False) as ours:
        machine = ours.name.split("-")[0]
        ours.touch()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for name in ("done", "other"):
        left = tmp_path / f"{machine}-{dead.pid}-0.part.{name}.mp4"
        left.write_text("frames")
    (tmp_path / "done.mp4").hardlink_to(tmp_path / f"{machine}-{dead.pid}-0.part.done.mp4")
    (tmp_path / "other.mp4").write_text("frames of another run")
    assert remove_leftovers(tmp_path) == [tmp_path / "other-recovered.mp4"]
    names = ["a.png", "done.mp4", "other-recovered.mp4", "other.mp4"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_a_link_that_lies_in_wait_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the random part of the name could be guessed."""
    (tmp_path / "victim").write_text("precious")
    monkeypatch.setattr("dehaze.runtime.output_file.secrets.token_hex", lambda _: "00")
    with finished_output(tmp_path / "a.png", overwrite=False) as unfinished:
        name = unfinished.name
    (tmp_path / name).symlink_to(tmp_path / "victim")
    with (
        pytest.raises(OutputError, match="File exists"),
        finished_output(tmp_path / "b.png", overwrite=False) as unfinished,
    ):
        unfinished.write_text("new")
    assert (tmp_path / "victim").read_text() == "precious"


def test_a_result_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "a.png"
    with (
        pytest.raises(OutputError, match="has appeared during the run"),
        finished_output(target, overwrite=False) as unfinished,
    ):
        unfinished.write_text("ours")
        target.write_text("theirs")
    assert target.read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [target]


def test_nothing_is_replaced_where_there_are_no_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as on FAT, where `Path.exists` would look too early."""

    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    target = tmp_path / "a.png"
    monkeypatch.setattr(os, "link", no_links)
    with finished_output(target, overwrite=False) as unfinished:
        unfinished.write_text("first")
    assert target.read_text() == "first"
    with (
        pytest.raises(OutputError, match="has appeared during the run"),
        finished_output(tmp_path / "b.png", overwrite=False) as unfinished,
    ):
        unfinished.write_text("ours")
        (tmp_path / "b.png").write_text("theirs")
        if sys.platform == "linux":  # where the kernel looks
            monkeypatch.setattr(Path, "exists", lambda _: False)
    assert (tmp_path / "b.png").read_text() == "theirs"


def test_a_recording_that_cannot_be_renamed_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with (
        pytest.raises(
            OutputError, match=r"what was recorded is kept as \.\w+-\d+-\w+\.part\.out\.mp4"
        ),
        finished_output(tmp_path / "out.mp4", overwrite=True, is_recording=True) as unfinished,
    ):
        unfinished.write_text("frames")
        monkeypatch.setattr(Path, "replace", broken)
        monkeypatch.setattr(os, "fsync", broken)
    monkeypatch.undo()
    (kept,) = remove_leftovers(tmp_path)
    assert kept.name == "out-recovered.mp4"
    assert kept.read_text() == "frames"


def test_bytes_that_do_not_reach_the_disk_get_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with (
        pytest.raises(OutputError, match=r"a\.png: cannot be written .Input/output error."),
        finished_output(tmp_path / "a.png", overwrite=False) as unfinished,
    ):
        unfinished.write_text("pixels")
    assert list(tmp_path.iterdir()) == []


def test_a_result_that_another_batch_wrote_meanwhile_is_skipped(
    hazy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from dehaze.runtime.files import job

    encode, clear = job.PictureRun.encode, hazy.with_name("clear")

    def late(run: Any) -> Any:
        (clear / "a.png").write_text("theirs")
        return encode(run)

    monkeypatch.setattr(job.PictureRun, "encode", late)
    clear.mkdir()
    assert main([str(hazy), str(clear)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("0 done, 1 skipped, 0 failed")
    assert (clear / "a.png").read_text() == "theirs"


def test_two_batches_on_one_folder_share_the_work(
    hazy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clear = hazy.with_name("clear")
    with locked_folders([clear]) as taken:  # as another process does
        assert taken is None
        assert main([str(hazy), str(clear), "--overwrite"]) == 1
        (line,) = error_lines(capsys.readouterr().err)
        assert line.endswith("wait for it, or name another folder")
        assert main([str(hazy), str(clear)]) == 0
        assert "another dehaze-run works on this folder, too" in capsys.readouterr().err
    assert main([str(hazy), str(clear), "--overwrite"]) == 0
    assert error_lines(capsys.readouterr().err) == []
    assert [path.name for path in clear.iterdir()] == ["a.png"]


def test_two_processes_on_one_folder_lose_nothing(tmp_path: Path) -> None:
    for index in range(12):
        cv2.imwrite(str(tmp_path / f"{index}.png"), picture(300, 400))
    clear = tmp_path / "clear"
    command = [sys.executable, "-m", "dehaze.runtime.cli", str(tmp_path), str(clear), "--json"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    reports = [json.loads(run.communicate(timeout=300)[0]) for run in both]
    assert [run.returncode for run in both] == [0, 0]
    assert all(report["failed"] == [] for report in reports)
    done = [Path(file["output"]).name for report in reports for file in report["files"]]
    assert len(done) == len(set(done)) == 12
    assert sorted(path.name for path in clear.iterdir()) == sorted(done)
    assert all(cv2.imread(str(path)) is not None for path in clear.iterdir())


@pytest.mark.parametrize("content", [b"\x89PNG\r\n", b"notes\n", b'{"input": "a"}\nnotes\n'])
def test_failures_are_written_over_no_other_file(
    content: bytes, hazy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = tmp_path / "notes.txt"
    told.write_bytes(content)
    assert main([str(hazy), "--failures", str(told)]) == 1
    assert "expected a new name or the failures of an earlier run" in capsys.readouterr().err
    assert told.read_bytes() == content


def test_failures_are_not_written_under_the_name_of_a_picture(hazy: Path) -> None:
    before = (hazy / "a.png").read_bytes()
    assert main([str(hazy), "--failures", str(hazy / "a.png")]) == 2
    assert main([str(hazy), "--failures", str(hazy / "new.png")]) == 2
    assert (hazy / "a.png").read_bytes() == before
    assert not (hazy / "new.png").exists()


def test_the_failures_of_an_earlier_run_are_replaced(hazy: Path, tmp_path: Path) -> None:
    told = tmp_path / "failures.jsonl"
    (hazy / "bad.png").write_text("no picture")
    assert main([str(hazy), "--failures", str(told)]) == 5
    first = told.read_text()
    told.write_text(first + first[:30])  # of a run that was killed
    assert main([str(hazy), "--failures", str(told)]) == 5
    assert told.read_text() == first


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_failures_that_cannot_be_written_do_not_end_the_batch(
    hazy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (hazy / "Bad.png").write_text("no picture")  # before the good one
    assert main([str(hazy), "--failures", "/dev/full"]) == 5
    printed = capsys.readouterr()
    assert printed.err.count("/dev/full: cannot be written (No space left on device)") == 1
    assert "Bad.png: expected a picture" in printed.err
    assert printed.out.splitlines()[-1].startswith("1 done, 0 skipped, 1 failed")


def test_a_killed_batch_leaves_whole_files_and_is_resumed(
    make_video: VideoMaker, tmp_path: Path
) -> None:
    make_video(frames=600, size=(160, 96))
    for index in range(5):
        cv2.imwrite(str(tmp_path / f"{index}.png"), picture(64, 80))
    clear = tmp_path / "clear"
    command = [sys.executable, "-m", "dehaze.runtime.cli", str(tmp_path), str(clear), "--json"]
    run = subprocess.Popen(command)
    deadline = time.monotonic() + 60
    while not any(p.stat().st_size for p in clear.glob("*.part.mp4")):
        assert time.monotonic() < deadline, "nothing was written in a minute"
        time.sleep(0.02)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert not (clear / "clip.mp4").exists()
    assert len(list(clear.glob("*.part.mp4"))) == 1
    assert all(cv2.imread(str(path)) is not None for path in clear.glob("[0-9].png"))
    resumed = subprocess.run(command, capture_output=True, text=True, check=True)
    report = json.loads(resumed.stdout)
    assert len(report["skipped"]) == 5
    assert [Path(done["input"]).name for done in report["files"]] == ["clip.mp4"]
    assert sorted(path.name for path in clear.iterdir()) == [
        *(f"{index}.png" for index in range(5)),
        "clip.mp4",
    ]


def test_an_exception_of_a_decoder_is_the_file_s_own(tmp_path: Path) -> None:
    """Any other file of the folder is done."""
    for name in ("bad", "good"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((70, 90, 3), 180, np.uint8))

    def decoder(path: Path, notices: Notices) -> Picture:
        if path.stem == "bad":
            raise ValueError("two channels")
        return read_picture(path, notices)

    jobs = plan_jobs(str(tmp_path), str(tmp_path / "out"), "").jobs
    with Dehazer(FunctionSession(lambda frames: frames)) as dehazer:
        bad, good = run_pictures(jobs, dehazer, RunOptions(), decoder)
    assert bad.error is not None
    assert bad.error.endswith("bad.png: this file cannot be processed (ValueError: two channels)")
    assert good.figures is not None
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good.png"]
