"""Files of known length on a web server, which are files as those on a disk are."""

from __future__ import annotations

import base64
import shutil
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit, urlunsplit

from ..errors import InputError, one_line
from ..media.formats import IMAGE_SUFFIXES, VIDEO_SUFFIXES

__all__ = ["downloaded"]

_SECONDS = 10.0


@contextmanager
def downloaded(address: str) -> Iterator[Path | None]:
    """Yields a copy of the file at an address, which is removed at the end.

    Yields None for what is no such file: an address without the name of a picture or video, a
    stream without a length, a server that does not answer.

    Raises:
        InputError: the file cannot be had whole.
    """
    parts = urlsplit(address)
    name = PurePosixPath(unquote(parts.path)).name
    has_name = PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES | VIDEO_SUFFIXES
    if parts.scheme not in ("http", "https") or not has_name:
        yield None
        return
    try:
        answer = urllib.request.urlopen(_request(address), timeout=_SECONDS)
    except (OSError, HTTPException, ValueError):
        yield None  # the live reader says why, and tries again where that makes sense
        return
    with answer, tempfile.TemporaryDirectory(prefix="dehaze-") as folder:
        length = answer.headers.get("Content-Length", "")
        if not length.isdecimal() or answer.headers.get_content_maintype() == "multipart":
            answer.close()
            yield None
            return
        path = Path(folder) / name
        try:
            with path.open("wb") as file:
                shutil.copyfileobj(answer, file, 1 << 20)
        except (OSError, HTTPException) as error:
            raise InputError(f"{name}: cannot be fetched ({one_line(error)})") from error
        if path.stat().st_size < int(length):
            raise InputError(
                f"{name}: the server ended after {path.stat().st_size} of {length} bytes; try again"
            )
        yield path


def _request(address: str) -> urllib.request.Request:
    """With the address's user and password as HTTP wants them."""
    parts = urlsplit(address)
    place = parts.netloc.rpartition("@")[2]
    request = urllib.request.Request(urlunsplit(parts._replace(netloc=place)))
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        request.add_header("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}")
    return request
