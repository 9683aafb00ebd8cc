"""A cluster of two machines, both this one, and `dehaze-run` in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import cv2
import pytest
from conftest import picture, video_frames, write_video

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
pytest.importorskip("ray", reason="needs Ray: pip install 'dehaze-edge[ray]'")

from ray.cluster_utils import Cluster  # after the check


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    machine = {"num_cpus": 1, "object_store_memory": 2**27}
    cluster = Cluster(initialize_head=True, head_node_args={**machine, "include_dashboard": False})
    cluster.add_node(**machine)
    cluster.wait_for_nodes()
    yield cluster
    cluster.shutdown()


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "dehaze.runtime.cli", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def leftovers(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if ".part" in path.name]


def test_a_killed_worker_costs_no_file(cluster: Cluster, tmp_path: Path) -> None:
    hazy, clear = tmp_path / "hazy", tmp_path / "clear"
    (hazy / "inner").mkdir(parents=True)
    for index in range(2):
        write_video(hazy / f"clip{index}.mp4", frames=400, size=(160, 96))
    for index in range(20):
        cv2.imwrite(str(hazy / "inner" / f"{index}.png"), picture(72, 100, index))
    (hazy / "broken.jpg").write_text("no picture")
    run = start(hazy, clear, "--recursive", "--ray", cluster.address, "--json")
    victim = _writer_of(clear, "*.part.mp4")
    os.kill(victim, signal.SIGKILL)
    out, err = run.communicate(timeout=120)
    assert run.returncode == 5, err
    report = json.loads(out)
    assert len(report["files"]) == 22
    assert report["skipped"] == []
    assert report["backend"] is None  # each worker takes its own
    assert [Path(failed["input"]).name for failed in report["failed"]] == ["broken.jpg"]
    assert err.count("\n") == 2, err  # the broken file, and how many failed
    assert [len(video_frames(clear / f"clip{index}.mp4")) for index in range(2)] == [400, 400]
    assert len(list((clear / "inner").glob("*.png"))) == 20
    assert leftovers(clear) == []


def _writer_of(folder: Path, pattern: str) -> int:
    """The process whose unfinished file has something in it."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for path in folder.glob(pattern):
            if path.exists() and path.stat().st_size:
                return int(path.name.split("-")[1])
        time.sleep(0.02)
    raise AssertionError("no worker wrote anything in a minute")


def test_a_stopped_run_stops_its_workers(cluster: Cluster, tmp_path: Path) -> None:
    hazy, clear = tmp_path / "hazy", tmp_path / "clear"
    hazy.mkdir()
    write_video(hazy / "clip.mp4", frames=2000, size=(160, 96))
    run = start(hazy, clear, "--ray", cluster.address)
    _writer_of(clear, "*.part.mp4")
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "Traceback" not in err
    assert list(tmp_path.glob("clear/*")) == []


@pytest.mark.parametrize(
    ("options", "words", "code"),
    [
        (["--ray", "127.0.0.1:1"], "no Ray cluster at '127.0.0.1:1'", 1),
        (["--ray", "CLUSTER", "--threads", "64"], "use --threads 1", 2),
    ],
)
def test_what_a_cluster_cannot_do_is_told_in_one_line(
    options: list[str], words: str, code: int, cluster: Cluster, tmp_path: Path
) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), picture(64, 64))
    options = [cluster.address if option == "CLUSTER" else option for option in options]
    run = start(f"{tmp_path}/*.png", *options)
    _, err = run.communicate(timeout=90)
    assert run.returncode == code, err
    assert words in err
    assert err.count("\n") == 1


def listeners(process: int) -> set[str]:
    """The addresses, in hexadecimal, on which a process and its descendants listen."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    family = {process}
    while grown := {child for child, parent in parents.items() if parent in family} - family:
        family |= grown
    sockets = set()
    for number in family:
        with suppress(OSError):
            links = list(Path(f"/proc/{number}/fd").iterdir())
            for link in links:
                with suppress(OSError):
                    sockets.add(str(link.readlink()))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                found.add(fields[1].partition(":")[0])
    return found


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux's /proc")
def test_a_cluster_of_this_machine_is_not_heard_outside() -> None:
    script = (
        "from dehaze.runtime.files.ray_cluster import ray_cluster\n"
        "with ray_cluster('local', 1):\n"
        "    print('started', flush=True)\n"
        "    input()\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", script], **pipes) as run:
        assert run.stdin and run.stdout
        assert run.stdout.readline() == "started\n"
        heard = listeners(run.pid)
        run.stdin.write("\n")
        run.stdin.close()
    assert run.returncode == 0
    assert heard
    assert heard <= {"0100007F", "0000000000000000FFFF00000100007F", f"{1 << 24:032X}"}
