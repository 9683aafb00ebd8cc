"""The clip that the repository ships, and the script that makes it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from conftest import video_frames

DEMO = Path(__file__).parents[2] / "demo"


def test_the_clip_is_as_the_readme_says() -> None:
    clips = [DEMO / "street-hazy.mp4", DEMO / "street-clear.mp4"]
    assert sum(clip.stat().st_size for clip in clips) <= 2_000_000
    for clip in clips:
        with av.open(str(clip)) as container:
            video = container.streams.video[0]
            assert (video.width, video.height, video.frames) == (640, 360, 150)
            assert 5 <= container.duration / 1e6 <= 10
    with av.open(str(clips[0])) as container:
        samples = [f.to_ndarray() for f in container.decode(audio=0)]
    assert np.abs(np.concatenate(samples, axis=1)).mean() > 1e-3  # there is something to hear


@pytest.fixture(scope="module")
def small_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    script = [sys.executable, str(DEMO / "make_clip.py")]
    options = ["--frames", "3", "--size", "160x90", "--output", str(folder)]
    subprocess.run([*script, *options], check=True, capture_output=True)
    return folder


def test_the_script_makes_a_hazy_and_a_clear_clip(small_clip: Path) -> None:
    hazy, clear = (video_frames(small_clip / f"street-{n}.mp4") for n in ("hazy", "clear"))
    assert len(hazy) == len(clear) == 3
    assert hazy[0].shape == clear[0].shape == (90, 160, 3)
    assert hazy[0].mean() > clear[0].mean() + 20  # fog is bright
    assert hazy[0].std() < clear[0].std()
    assert not np.array_equal(hazy[0], hazy[2])  # the camera moves
