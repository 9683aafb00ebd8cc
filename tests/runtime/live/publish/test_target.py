from __future__ import annotations

from pathlib import Path

import pytest

from dehaze.runtime.cli import main
from dehaze.runtime.errors import OutputError, UsageError
from dehaze.runtime.live.address import is_stream, read_address, shown_address
from dehaze.runtime.live.publish.target import stream_target


@pytest.mark.parametrize(
    "address",
    ["rtsp://h/x", "RTMPS://h/app/key", "srt://h:1", "udp://h:1", "v4l2:///dev/video9", "a/b.m3u8"],
)
def test_addresses_that_frames_are_sent_to(address: str) -> None:
    assert is_stream(address)


@pytest.mark.parametrize("address", ["clear.mp4", "-", "rtsp.mp4", "folder/", "http://h/x.mp4"])
def test_other_outputs(address: str) -> None:
    assert not is_stream(address)


def test_each_kind_of_address_has_its_format(tmp_path: Path) -> None:
    addresses = {
        "rtsp://h/x": "rtsp",
        "rtsps://h/x": "rtsp",
        "rtmp://h/app/key": "flv",
        "udp://239.0.0.1:5000": "mpegts",
        str(tmp_path / "new" / "live.m3u8"): "hls",
    }
    found = {a: stream_target(a, overwrite=False).format for a in addresses}
    assert found == addresses
    assert (tmp_path / "new").is_dir()


@pytest.mark.parametrize("address", ["rtsp:///x", "udp://:5000", "v4l2://dev/video9"])
def test_an_address_that_makes_no_sense_is_told(address: str) -> None:
    with pytest.raises(UsageError, match="expected"):
        stream_target(address, overwrite=False)


def test_a_playlist_that_exists_is_kept(tmp_path: Path) -> None:
    playlist = tmp_path / "live.m3u8"
    playlist.write_text("#EXTM3U\nlive-4.ts\n")
    for name in ("live-3.ts", "live-4.ts", "live-a.ts"):
        (tmp_path / name).touch()
    with pytest.raises(OutputError, match="exists; name another output or use --overwrite"):
        stream_target(str(playlist), overwrite=False)
    assert len(list(tmp_path.iterdir())) == 4
    stream_target(str(playlist), overwrite=True)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"live.m3u8", "live-4.ts", "live-a.ts"}  # what an earlier run left goes


def test_an_address_may_be_in_a_variable_or_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OUT", "RTMP://h/app/key")
    assert read_address("env:OUT") == "rtmp://h/app/key"
    (tmp_path / "address").write_text("srt://h:1?passphrase=secret\n")
    assert read_address(f"@{tmp_path}/address") == "srt://h:1?passphrase=secret"


@pytest.mark.parametrize(
    "address",
    [
        "rtsp://me:s3cr3t@h/live",
        "srt://h:1?passphrase=s3cr3t&latency=100",
        "rtmp://h/app/s3cr3t",
        "rtmps://h:443/app/s3cr3t?x=1",
    ],
)
def test_no_password_and_no_stream_key_is_shown(address: str) -> None:
    assert "s3cr3t" not in shown_address(address)
    assert shown_address(address).startswith(address.split("s3cr3t", maxsplit=1)[0])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["a.mp4", "b.mp4", "rtsp://h/x"], "expected one input"),
        (["a.mp4", "rtsp://h/x", "--segment", "1m"], "--segment is for a recording"),
        (["a.png", "rtsp://h/x"], "a picture is no stream"),
        (["a.mp4", "rtsp://h/x", "--recursive"], "--recursive is for files"),
    ],
)
def test_what_cannot_be_sent_is_told(
    options: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.mp4", "b.mp4", "a.png"):
        (tmp_path / name).touch()
    assert main(options) == 2
    assert words in capsys.readouterr().err
