"""Results overwrite files safely: what is there stays whole, linked and as readable as it was."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from result_files import latency_result, quality_result, stored

from dehaze.benchmarks.cli import main

RUN = "import sys; from dehaze.benchmarks.cli import main; sys.exit(main(sys.argv[1:]))"
PLACE = "<!-- dehaze-bench latency -->\n<!-- end -->\n"


@pytest.fixture
def latency(tmp_path: Path) -> str:
    return str(stored(tmp_path / "latency.json", latency_result({"a": [5.0, 6.0]})))


def test_a_linked_readme_stays_a_link_and_private(latency: str, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    readme, link = tmp_path / "docs" / "README.md", tmp_path / "README.md"
    readme.write_text(PLACE)
    readme.chmod(0o640)
    link.symlink_to("docs/README.md")
    assert main(["report", latency, "--into", str(link)]) == 0
    assert link.is_symlink()
    assert "| a | 5.5 | 1.00 |" in readme.read_text()
    assert stat.S_IMODE(readme.stat().st_mode) == 0o640
    assert list((tmp_path / "docs").iterdir()) == [readme]


def test_a_result_replaces_no_file_of_another_kind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"\x89PNG")
    assert main(["latency", "none", "--sizes", "64x64", "--json", str(picture)]) == 1
    assert "expected a new name or a result of dehaze-bench" in capsys.readouterr().err
    assert picture.read_bytes() == b"\x89PNG"


def test_a_file_system_without_permissions_takes_results_all_the_same(
    latency: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    (tmp_path / "page.md").touch()
    monkeypatch.setattr(Path, "chmod", refused)
    assert main(["report", latency, "--out", str(tmp_path / "page.md")]) == 0
    assert "| a |" in (tmp_path / "page.md").read_text()


def test_a_read_only_readme_is_left_alone(
    latency: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(PLACE)
    readme.chmod(0o444)
    assert main(["report", latency, "--into", str(readme)]) == 1
    assert "read-only" in capsys.readouterr().err
    assert readme.read_text() == PLACE


def test_a_pipe_is_not_replaced_by_a_file(latency: str, tmp_path: Path) -> None:
    """A rename as root would remove /dev/null itself."""
    pipe = tmp_path / "pipe.html"
    os.mkfifo(pipe)
    assert main(["report", latency, "--out", str(pipe)]) == 1
    assert pipe.is_fifo()


@pytest.mark.parametrize("place", ["", "folder", "pipe", "file/result.json"])
def test_a_result_that_cannot_be_written_is_told_before_it_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    path = str(tmp_path / place) if place else ""
    arguments = ["latency", "none", "--size", "64x64", "--runs", "1", "--no-memory"]
    assert main([*arguments, "--json", path]) == 1
    printed = capsys.readouterr()
    assert not printed.out
    assert printed.err.count("\n") == 1
    assert "expected a" in printed.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_standard_output_on_a_full_disk_or_closed_gives_one_line(tmp_path: Path) -> None:
    path = stored(tmp_path / "quality.json", quality_result({"a": [20.0, 21.0]}))
    command = [sys.executable, "-c", RUN, "compare", str(path), str(path)]
    with Path("/dev/full").open("w") as full:
        run = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (run.returncode, run.stderr) == (1, "dehaze-bench: No space left on device\n")
    closed = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *command], stderr=subprocess.PIPE, text=True
    )
    assert (closed.returncode, closed.stderr) == (0, "")
