"""What one picture costs before it is read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
from conftest import picture


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
