from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from dehaze.runtime.media import limits
from dehaze.runtime.media.limits import MAXIMUM_FRAME_PIXELS, frame_pixels_at_most, free_bytes

MIB = 2**20


def machine(root: Path, free_mib: int, groups: str, files: dict[str, int | str]) -> Path:
    """The files in which Linux says what memory there is."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/meminfo").write_text(
        f"MemTotal: 9999 kB\nMemAvailable:   {free_mib * 1024} kB\nSwapFree: 0 kB\n"
    )
    (root / "proc/self/cgroup").write_text(groups)
    for name, value in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{value}\n")
    return root


def test_the_machine_s_memory_counts(tmp_path: Path) -> None:
    assert free_bytes(machine(tmp_path, 500, "", {})) == 500 * MIB


def test_the_tightest_group_of_version_2_counts(tmp_path: Path) -> None:
    files = {
        "memory.stat": "inactive_file 0",
        "a/memory.max": 300 * MIB,
        "a/memory.current": 250 * MIB,
        "a/memory.stat": f"anon 5\ninactive_file {20 * MIB}",
        "a/b/memory.max": "max",
        "a/b/memory.current": 1,
    }
    assert free_bytes(machine(tmp_path, 500, "0::/a/b\n", files)) == 70 * MIB


@pytest.mark.parametrize("path", ["/", "/docker/of-the-host"])
def test_a_container_of_version_1_counts(path: str, tmp_path: Path) -> None:
    files = {
        "memory/memory.limit_in_bytes": 200 * MIB,
        "memory/memory.usage_in_bytes": 190 * MIB,
        "memory/memory.stat": f"total_inactive_file {30 * MIB}",
    }
    groups = f"5:cpu:/\n4:hugetlb,memory:{path}\n0::/\n"
    assert free_bytes(machine(tmp_path, 500, groups, files)) == 40 * MIB


def test_a_limit_of_addresses_counts() -> None:
    code = (
        "import resource\n"
        "from dehaze.runtime.media.limits import free_bytes\n"
        f"resource.setrlimit(resource.RLIMIT_AS, ({400 * MIB}, resource.RLIM_INFINITY))\n"
        "print(free_bytes())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 0 <= int(run.stdout) < 400 * MIB
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY


def test_frames_are_as_large_as_memory_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    for free, pixels in ((2**40, MAXIMUM_FRAME_PIXELS), (480 * MIB, 10 * MIB), (0, 2**20)):
        monkeypatch.setattr(limits, "free_bytes", lambda free=free: free)
        assert frame_pixels_at_most() == pixels
