"""Opens a video file, or says in one line why not."""

from __future__ import annotations

from pathlib import Path

import av
from av.container import InputContainer

from ...errors import InputError, one_line
from ..picture_content import regular_file
from .cut_off import bytes_missing

__all__ = ["opened_video"]

_THIS_FILE_ALONE = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,matroska,avi,mpegts,mpeg,mpegvideo,flv,live_flv,asf,asf_o,ogg,mxf,nut,"
    "dv,h264,hevc,m4v,obu,ivf,mjpeg,wtv,rm,gif,apng,yuv4mpegpipe",
}
"""Not concat, hls, dash, sdp or imf, which FFmpeg tells by the content under any name: a list
that is called a video would bring the pictures of its neighbours into the result."""


def opened_video(path: Path, pixels_at_most: int) -> InputContainer:
    """An open container.

    Args:
        pixels_at_most: of a frame. Opening decodes frames, too, where a header says too little.

    Raises:
        InputError: unreadable, a list of other files, or cut off.
    """
    _refuse_cut_off(path)
    try:
        # Never av.logging.set_level: PyAV 17 then logs under the GIL, for which a decoder's
        # thread waits for ever while the decoder is freed (11 of 2300 damaged files hung).
        # file: lets names hold colons, replace takes titles that are not UTF-8.
        limits = {**_THIS_FILE_ALONE, "max_pixels": str(pixels_at_most)}
        container: InputContainer = av.open(
            f"file:{path}", options=limits, metadata_errors="replace"
        )
    except av.ArgumentError as error:
        raise InputError(f"{path}: expected a video, got a list of files or no video") from error
    except (av.FFmpegError, OSError, ValueError) as error:
        raise InputError(f"{path}: expected a video ({one_line(error)})") from error
    return container


def _refuse_cut_off(path: Path) -> None:
    try:
        if path.is_fifo():  # somebody named it, and it is read as it comes
            return
        with regular_file(path) as file:
            missing = bytes_missing(file)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({one_line(error)})") from error
    except ValueError as error:
        raise InputError(f"{path}: expected a video, got {error}") from error
    if missing:
        raise InputError(
            f"{path}: the video is cut off: its last {missing} bytes are missing; "
            f"copy the file again"
        )
