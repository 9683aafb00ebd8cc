"""Small real files, made on the spot, that the tests share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

# Two files of tests run at a time. OpenMP's threads wait for each other by spinning: where other
# programs keep the cores busy, a training test with two threads takes ten times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import av
import numpy as np
import pytest
from numpy.typing import NDArray

SHARED = Path(__file__).parent.parent.parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real pictures and videos beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the data at {SHARED}, which are not part of the repository")
    return SHARED


@pytest.fixture
def frame() -> NDArray[np.uint8]:
    """(70, 99, 3): a smooth hazy-looking picture of odd size."""
    return picture(70, 99)


def picture(height: int, width: int, phase: float = 0.0) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB: colour waves under a veil."""
    y, x = np.mgrid[0:height, 0:width] / 12
    waves = np.stack([np.sin(x + phase), np.sin(y + 1), np.sin(x + y + 2)], axis=-1)
    return np.rint(170 + 50 * waves).astype(np.uint8)


VideoMaker = Callable[..., Path]


@pytest.fixture
def make_video(tmp_path: Path) -> VideoMaker:
    """Writes small real videos; see `write_video`."""
    return lambda name="clip.mp4", **options: write_video(tmp_path / name, **options)


def write_video(
    path: Path,
    *,
    frames: int = 12,
    size: tuple[int, int] = (96, 64),
    times: list[int] | None = None,
    audio: bool = False,
    codec: str = "libx264",
    faststart: bool = False,
) -> Path:
    """Encodes `frames` frames at 25 per second, or at `times` in milliseconds, with B-frames."""
    options = {"movflags": "faststart"} if faststart else {}
    with av.open(str(path), "w", options=options) as container:
        video = container.add_stream(codec, rate=25)
        video.width, video.height = size
        video.pix_fmt = "yuv444p" if size[0] % 2 or size[1] % 2 else "yuv420p"
        video.time_base = video.codec_context.time_base = Fraction(1, 1000)
        sound = container.add_stream("aac", rate=48000) if audio else None
        for index in range(frames):
            image = av.VideoFrame.from_ndarray(picture(size[1], size[0], index / 4), "rgb24")
            image.pts = times[index] if times else 40 * index
            image.time_base = Fraction(1, 1000)
            container.mux(video.encode(image))
        container.mux(video.encode(None))
        if sound is not None:
            tone = np.sin(np.arange(48000 * frames // 25) / 20).astype(np.float32) / 4
            samples = av.AudioFrame.from_ndarray(np.stack((tone, tone)), "fltp", "stereo")
            samples.sample_rate = 48000
            container.mux(sound.encode(samples))
            container.mux(sound.encode(None))
    return path


def video_times(path: Path) -> list[float]:
    """Presentation time of every frame in seconds."""
    with av.open(str(path)) as container:
        return [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]


def video_frames(path: Path) -> list[NDArray[np.uint8]]:
    """The frames of a video, each (H, W, 3) uint8 RGB."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def error_lines(printed: str) -> list[str]:
    """The lines of standard error, without the one that says what runs the model."""
    return [line for line in printed.splitlines() if not line.startswith("backend: ")]


BROWSER_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)


@contextmanager
def open_browser(profile: Path, *flags: str) -> Iterator[Any]:
    """A real Chromium without a screen, with more flags; skips where it is not installed."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
    from selenium.webdriver.chrome.service import Service

    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("needs Debian's chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*BROWSER_FLAGS.split(), f"--user-data-dir={profile}", *flags):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with webdriver.Chrome(options=options, service=Service(driver)) as chrome:
        yield chrome


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A real Chromium without a screen; skips where it is not installed."""
    with open_browser(tmp_path_factory.mktemp("profile")) as chrome:
        yield chrome


@pytest.fixture(params=[(1360, 860, False), (360, 740, True)], ids=["desktop", "phone"])
def screen(request: pytest.FixtureRequest, browser: Any) -> Iterator[Any]:
    """The browser on a desktop and on a phone; what a page complains of fails the test."""
    width, height, mobile = request.param
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    yield browser
    assert [entry["message"] for entry in browser.get_log("browser")] == []
