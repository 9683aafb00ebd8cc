"""What one picture or video costs before it is read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
from conftest import VideoMaker, picture


def test_a_single_picture_imports_nothing_that_only_videos_need(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), picture(96, 128))
    program = (
        "import sys\n"
        "from dehaze.runtime.cli import main\n"
        "code = main(sys.argv[1:])\n"
        "slow = {'numba', 'llvmlite', 'scipy', 'av', 'tqdm', 'torch', 'yaml', 'http', 'ray'}\n"
        "print(code, slow & set(sys.modules), file=sys.stderr)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "a.png")]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.stderr.splitlines()[-1] == "0 set()"
    assert (tmp_path / "a-dehazed.png").exists()


def test_a_first_video_says_that_it_compiles_and_the_next_imports_nothing_for_that(
    make_video: VideoMaker, tmp_path: Path
) -> None:
    source, target = make_video(frames=3), tmp_path / "clear.mp4"
    program = (
        "import sys\n"
        "from dehaze.runtime.cli import main\n"
        "code = main(sys.argv[1:])\n"
        "slow = {'numba', 'PIL', 'tqdm', 'torch', 'yaml', 'http', 'ray'}\n"
        "print(code, slow & set(sys.modules), file=sys.stderr)\n"
    )
    files = [str(source), "--output", str(target), "--overwrite"]
    told = "dehaze-run: compiling loops for this processor, once; it takes some seconds"

    def errors(place: str) -> list[str]:
        (tmp_path / place).mkdir(exist_ok=True)
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / place)}
        command = [sys.executable, "-c", program, *files]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True
        ).stderr.splitlines()

    assert errors("single").count(told) == 1
    later = errors("single")
    assert told not in later and later[-1] == "0 set()"
    target.unlink()
    target.mkdir()  # two videos are a batch: a process of its own compiles
    files[:1] = [str(source), str(make_video("other.mp4", frames=3))]
    assert errors("batch").count(told) == 1
