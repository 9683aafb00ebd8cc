"""Live runs in real processes, over real pipes and sockets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from camera_server import camera
from conftest import VideoMaker, picture, video_frames, video_times
from live_process import figures_in, free_port, start, unfinished_in, wait_for_recording
from numpy.typing import NDArray

from dehaze.runtime.errors import UsageError
from dehaze.runtime.live.run import LiveOptions, run_live
from dehaze.runtime.stream import DehazedFrame

WAVES = [picture(120, 160, phase / 4) for phase in range(25)]


def random_frames(count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (count, 48, 64, 3), np.uint8)


def test_every_raw_frame_is_answered_in_order() -> None:
    frames = random_frames(40)
    run = start(
        "-", "-", "--mode", "64x48@25", "--delay", "0.01",
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    output, errors = run.communicate(frames.tobytes(), timeout=60)
    assert run.returncode == 0, errors.decode()
    assert np.array_equal(np.frombuffer(output, np.uint8).reshape(frames.shape), 255 - frames)
    figures = figures_in(errors)
    assert (figures["frames"], figures["dropped"], figures["width"]) == (40, 0, 64)


def test_a_raw_frame_is_answered_before_the_next_is_sent() -> None:
    frames = random_frames(3)
    with start(
        "-", "-", "--mode", "64x48@25", stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as run:
        assert run.stdin and run.stdout
        for frame in frames:
            run.stdin.write(frame.tobytes())
            run.stdin.flush()
            assert run.stdout.read(frame.size) == (255 - frame).tobytes()
        run.stdin.close()
        assert run.wait(20) == 0


def test_a_raw_frame_that_is_cut_off_is_told_after_the_others_were_answered() -> None:
    frames = random_frames(3)
    run = start("-", "-", "--mode", "64x48@25", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    output, errors = run.communicate(frames.tobytes()[:-100], timeout=60)
    assert output == (255 - frames[:2]).tobytes()
    assert run.returncode == 1
    assert errors.decode().count("\n") == 1
    assert "ended within frame 3: expected 9216 bytes (64x48 RGB24), got 9116" in errors.decode()


def test_a_reader_that_leaves_ends_the_run_without_a_word() -> None:
    with start(
        "-", "-", "--mode", "64x48@25", stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as run:
        assert run.stdin and run.stdout and run.stderr
        run.stdout.close()
        run.stdin.write(random_frames(1).tobytes())
        run.stdin.flush()  # standard input stays open: the run must not wait for it
        assert run.wait(20) == 1
        assert run.stderr.read() == b""
        run.stdin.close()


def test_raw_frames_become_a_video_of_their_rate(tmp_path: Path) -> None:
    target = tmp_path / "out.mkv"
    data = np.stack([picture(48, 64, i / 4) for i in range(12)]).tobytes()
    run = start("-", target, "--mode", "64x48@12.5", "--side-by-side", stdin=subprocess.PIPE)
    _, errors = run.communicate(data, timeout=60)
    assert run.returncode == 0, errors.decode()
    assert video_times(target) == pytest.approx(np.arange(12) / 12.5, abs=2e-3)
    assert video_frames(target)[0].shape == (48, 128, 3)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_completes_the_recording(number: signal.Signals, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    with camera(WAVES) as address:
        run = start(address, target)
        wait_for_recording(tmp_path)
        time.sleep(1.5)
        run.send_signal(number)
        run.send_signal(number)  # as timeout(1) does: to the process and to its group
        _, errors = run.communicate(timeout=20)
    assert run.returncode == 0, errors.decode()
    figures = figures_in(errors)
    times = video_times(target)
    assert len(times) == figures["frames"] > 10
    assert unfinished_in(tmp_path) == []
    assert times[0] == pytest.approx(0, abs=0.1)
    assert np.median(np.diff(times)) == pytest.approx(1 / 25, abs=0.015)
    brightness = 255 - np.mean(WAVES[0])
    assert np.mean(video_frames(target)[5]) == pytest.approx(brightness, abs=8)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_what_a_killed_run_recorded_is_kept(suffix: str, tmp_path: Path) -> None:
    target = tmp_path / f"out{suffix}"
    with camera(WAVES) as address:
        run = start(address, target)
        wait_for_recording(tmp_path)
        time.sleep(7)
        run.kill()
        run.communicate(timeout=20)
        assert not target.exists()
        (left,) = unfinished_in(tmp_path)
        assert len(video_frames(left)) > 25
        empty = left.with_name(left.name.replace(".part.out", ".part.empty"))
        empty.touch()
        run = start(address, target)
        recovered = tmp_path / f"out-recovered{suffix}"
        deadline = time.monotonic() + 90
        while not recovered.exists():
            assert time.monotonic() < deadline, "nothing was recovered within 90 s"
            time.sleep(0.05)
        wait_for_recording(tmp_path)
        time.sleep(0.5)
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=20)
    assert f"what it recorded is {recovered}" in errors.decode()
    assert len(video_frames(recovered)) > 25
    assert sorted(tmp_path.iterdir()) == sorted((target, recovered))


def test_a_full_disk_ends_the_recording_and_keeps_it(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    program = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_200_000, 1_200_000))\n"
        "from live_program import main\n"
        "sys.exit(main())\n"
    )
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    with camera([noise, 255 - noise]) as address:
        run = subprocess.run(
            [sys.executable, "-c", program, address, str(target)],
            capture_output=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
            timeout=180,
        )
    assert run.returncode == 1
    (line,) = run.stderr.decode().splitlines()
    assert "File too large" in line and f"{target} holds what was recorded before" in line
    assert len(video_frames(target)) > 25
    assert unfinished_in(tmp_path) == []


def test_a_recording_may_be_split_by_time(tmp_path: Path) -> None:
    with camera(WAVES) as address:
        run = start(address, tmp_path / "out.mkv", "--segment", "1.5")
        wait_for_recording(tmp_path)
        time.sleep(5)
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=20)
    parts = sorted(tmp_path.glob("out-*T*Z.mkv"))
    assert len(parts) >= 3
    times = [video_times(part) for part in parts]
    assert sum(map(len, times)) == figures_in(errors)["frames"]
    assert all(part[0] == pytest.approx(0, abs=0.1) for part in times)
    assert all(part[-1] == pytest.approx(1.5, abs=0.3) for part in times[:-1])


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    with camera(WAVES) as address:
        run = start(address, target)
        wait_for_recording(tmp_path)
        target.write_text("somebody else's")
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=20)
    assert run.returncode == 1
    assert f"it is kept as {tmp_path}/out-recovered.mp4" in errors.decode()
    assert target.read_text() == "somebody else's"
    assert video_frames(tmp_path / "out-recovered.mp4")


def test_a_slow_model_drops_frames_and_stays_up_to_date(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    with camera(WAVES) as address:
        run = start(address, target, "--delay", "0.2")
        wait_for_recording(tmp_path)
        time.sleep(4)
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=20)
    figures = figures_in(errors)
    assert figures["dropped"] > 2 * figures["frames"] > 0
    # 0.2 s of work, up to 0.04 s of waiting for it; a queue would make it 3 s and more.
    assert 200 <= figures["latency_ms"]["p50"] < 400
    assert len(video_times(target)) == figures["frames"]
    assert np.median(np.diff(video_times(target))) == pytest.approx(0.2, abs=0.06)


def test_a_lost_stream_is_waited_for_and_then_given_up(tmp_path: Path) -> None:
    target, port = tmp_path / "out.mp4", free_port()
    with camera(WAVES, port) as address:
        run = start(address, target, "--give-up", "3")
        wait_for_recording(tmp_path)
        time.sleep(1)
    _, errors = run.communicate(timeout=30)
    assert run.returncode == 1
    lines = errors.decode().splitlines()
    assert len(lines) == 2, lines
    assert "lost (" in lines[0] and "trying to reconnect" in lines[0]
    assert "not back within 3 s" in lines[1]
    frames = len(video_times(target))
    assert f"{target} holds the {frames} frames before" in lines[1]
    assert frames > 5


def test_a_lost_stream_that_comes_back_is_recorded_on(tmp_path: Path) -> None:
    target, port = tmp_path / "out.mp4", free_port()
    with camera(WAVES, port) as address:
        run = start(address, target)
        wait_for_recording(tmp_path)
        time.sleep(1)
    time.sleep(2)
    with camera(WAVES, port):
        time.sleep(4)
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=20)
    assert run.returncode == 0, errors.decode()
    assert figures_in(errors)["reconnects"] == 1
    assert "back after" in errors.decode()
    times = video_times(target)
    assert np.all(np.diff(times) > 0)
    assert np.max(np.diff(times)) > 1.5  # the gap is in the recording, as it was


def test_a_file_on_a_web_server_plays_in_its_own_time_and_ends(
    make_video: VideoMaker, tmp_path: Path
) -> None:
    make_video("clip.mp4", frames=50, size=(160, 120), faststart=True)
    server = subprocess.Popen(
        [sys.executable, "-m", "http.server", "0", "--bind", "127.0.0.1"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        assert server.stdout
        port = server.stdout.readline().split("port ")[1].split()[0]
        run = start(f"http://127.0.0.1:{port}/clip.mp4", tmp_path / "out.mp4")
        _, errors = run.communicate(timeout=40)
    finally:
        server.kill()
        server.communicate()
    assert run.returncode == 0, errors.decode()
    figures = figures_in(errors)
    assert figures["seconds"] > 1.8
    assert figures["frames"] + figures["dropped"] == 50
    assert figures["frames"] > 40


def test_colours_of_a_full_range_camera_stay() -> None:
    """MJPEG is BT.601 of full range whatever its size; read as video range it gains contrast."""
    flat = np.empty((720, 1280, 3), np.uint8)
    flat[:] = (200, 90, 30)
    seen: list[NDArray[np.uint8]] = []

    def process(frame: NDArray[np.uint8]) -> DehazedFrame:
        if len(seen) >= 2:
            os.kill(os.getpid(), signal.SIGINT)
        seen.append(frame)
        return DehazedFrame(frame)

    with camera([flat]) as address:
        run_live(address, None, process, LiveOptions(preview_port=0))
    assert np.abs(seen[0].astype(int) - flat).max() <= 4


def test_a_run_that_nobody_sees_is_told() -> None:
    with pytest.raises(UsageError, match="--preview"):
        run_live("0", None, DehazedFrame)


def test_an_avi_is_refused_for_a_camera(tmp_path: Path) -> None:
    with camera(WAVES) as address, pytest.raises(UsageError, match="holds no times"):
        run_live(address, str(tmp_path / "out.avi"), DehazedFrame)
    assert list(tmp_path.iterdir()) == []
