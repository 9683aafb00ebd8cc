"""Turns the address of a stream OUTPUT into what FFmpeg is told."""

from __future__ import annotations

import glob
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from av.format import ContainerFormat

from ...errors import OutputError, UsageError, one_line
from ...media.containers.copied_streams import TS_SOUND
from ..address import shown_address
from ..srt.program import SCHEME, check_srt

__all__ = ["StreamTarget", "stream_target"]

_RTSP_SOUND = frozenset(
    {"aac", "mp2", "mp3", "mp3float", "ac3", "opus", "vorbis", "pcm_alaw", "pcm_mulaw"}
    | {"pcm_s16be", "adpcm_g722", "amrnb", "amrwb"}
)
_RTMP_SOUND = frozenset({"aac", "mp3", "mp3float"})
_TS_PACKETS = 1316
"""Bytes of a datagram: seven packets of a transport stream fit into Ethernet's 1500."""
_HLS_OPTIONS = {
    "hls_time": "1.5",  # below the distance of key frames, so that every one begins a segment
    "hls_list_size": "6",
    # A playlist that --overwrite takes over goes on, and its old segments go in their turn.
    "hls_flags": "delete_segments+append_list+temp_file+program_date_time+independent_segments",
}


@dataclass(frozen=True)
class StreamTarget:
    """A place that frames are sent to, as FFmpeg's muxer is told."""

    url: str
    format: str
    options: dict[str, str] = field(default_factory=dict)
    sound: frozenset[str] = frozenset()
    """The codecs of sound that can be sent."""
    codec: str | None = None
    """The only codec that it takes."""
    is_local: bool = False
    """True for a place on this computer: gone when it is gone."""


def stream_target(address: str, *, overwrite: bool) -> StreamTarget:
    """The target of an address for which `address.is_stream` holds.

    Raises:
        OutputError: a playlist exists, its folder cannot be made, or FFmpeg has no such output or
            protocol.
        UsageError: an address that makes no sense.
    """
    target = _target(address)
    try:
        ContainerFormat(target.format, "w")
    except ValueError as error:
        raise OutputError(
            f"{shown_address(address)}: this build of FFmpeg has no {target.format} output"
        ) from error
    if target.url.startswith(SCHEME):
        check_srt(shown_address(address), OutputError)
    if target.format == "hls":
        _make_way(Path(address), overwrite=overwrite)
    return target


def _target(address: str) -> StreamTarget:
    scheme, mark, _ = address.partition("://")
    if not mark:
        return _playlist(Path(address))
    parts = urlsplit(address)
    if scheme == "v4l2":
        if parts.netloc or not parts.path.startswith("/"):
            raise UsageError(
                f"expected three slashes as in v4l2:///dev/video9, got {shown_address(address)}"
            )
        return StreamTarget(parts.path, "v4l2", codec="rawvideo", is_local=True)
    if not parts.hostname:
        raise UsageError(f"expected {scheme}://HOST, got {shown_address(address)}")
    if scheme in ("rtsp", "rtsps"):
        return StreamTarget(address, "rtsp", {"rtsp_transport": "tcp"}, _RTSP_SOUND)
    if scheme in ("rtmp", "rtmps"):
        return StreamTarget(address, "flv", {"flvflags": "no_duration_filesize"}, _RTMP_SOUND)
    if scheme == "udp" and not parts.query:
        address = f"{address}?pkt_size={_TS_PACKETS}"
    return StreamTarget(address, "mpegts", sound=TS_SOUND)


def _playlist(path: Path) -> StreamTarget:
    # Absolute: so a colon makes no protocol of a name. Behind file: no segment would be deleted.
    path = path.absolute()
    segments = path.with_suffix("")
    options = _HLS_OPTIONS | {"hls_segment_filename": f"{segments}-%d.ts"}
    return StreamTarget(str(path), "hls", options, TS_SOUND, is_local=True)


def _make_way(playlist: Path, *, overwrite: bool) -> None:
    if playlist.exists() and not overwrite:
        raise OutputError(f"{playlist} exists; name another output or use --overwrite")
    try:
        playlist.parent.mkdir(parents=True, exist_ok=True)
        if playlist.exists():
            _remove_unlisted(playlist)
    except OSError as error:
        raise OutputError(f"{playlist}: cannot be written ({one_line(error)})") from error


def _remove_unlisted(playlist: Path) -> None:
    """Removes the segment that an earlier run had no time to remove."""
    listed = playlist.read_text(errors="replace").splitlines()
    for segment in playlist.parent.glob(f"{glob.escape(playlist.stem)}-*.ts"):
        number = segment.stem.removeprefix(f"{playlist.stem}-")
        if number.isdecimal() and segment.name not in listed:
            segment.unlink()
