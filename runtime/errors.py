"""The errors that dehaze-edge raises on purpose, each with the exit code of its command.

    DehazeError                 1   something went wrong; the message says what to do
    ├── InputError              1   a file, frame or stream that cannot be read or is not usable
    ├── OutputError             1   a result that cannot be written
    ├── ModelError              1   a model or checkpoint that cannot be loaded
    │   └── OperatorError       1   the engine is too old for an operator of the model
    ├── UsageError              2   options that make no sense, alone or together
    ├── GateError               3   a comparison missed its limit
    ├── EngineMismatchError     4   an engine built for another device or TensorRT version
    └── BatchError              5   some inputs of a batch failed, the others are done

Messages say what was expected, what came, and what to do about it, in one line.
"""

from __future__ import annotations

import re

__all__ = [
    "BatchError",
    "DehazeError",
    "EngineMismatchError",
    "GateError",
    "InputError",
    "ModelError",
    "OperatorError",
    "OutputError",
    "UsageError",
    "masked",
    "one_line",
]


class DehazeError(Exception):
    """The root: catch this to catch everything that dehaze-edge raises on purpose."""

    exit_code = 1


class InputError(DehazeError):
    """A file, frame or stream that cannot be read or is not usable."""


class OutputError(DehazeError):
    """A result that cannot be written."""


class ModelError(DehazeError):
    """A model or checkpoint that cannot be loaded."""


class OperatorError(ModelError):
    """The engine is too old for an operator of the model."""


class UsageError(DehazeError):
    """Options that make no sense, alone or together."""

    exit_code = 2


class GateError(DehazeError):
    """A comparison missed its limit: an export unlike its source, a benchmark that regressed."""

    exit_code = 3


class EngineMismatchError(DehazeError):
    """An engine built for another device, shape or TensorRT version."""

    exit_code = 4


class BatchError(DehazeError):
    """Some inputs of a batch failed; the others are done."""

    exit_code = 5


def one_line(error: BaseException) -> str:
    """A library's error message as one line, without error number, addresses or padding."""
    words = getattr(error, "strerror", None) or str(error)
    return " ".join(_OBJECT.sub("", words).split()) or type(error).__name__


_OBJECT = re.compile(r"'?<[^<>]* at 0x[0-9A-Fa-f]+>'?")
"""What Python calls an object that has no name, such as `<_io.BytesIO object at 0x7f01>`."""

_USER_AND_PASSWORD = r"(?P<scheme>\w[\w+.-]*://)(?P<account>{character}*)@"
_IN_WORDS = re.compile(_USER_AND_PASSWORD.format(character=r"\S"))
_IN_ADDRESS = re.compile(_USER_AND_PASSWORD.format(character=r"[\s\S]"))
_SECRETS = (
    "password passwd passphrase pwd pass pw token secret auth key sig signature hmac jwt ticket "
    "credential session sessionid streamid"
).replace(" ", "|")
"""Endings of names whose values let in whoever knows them. SRT's `streamid` may hold an account,
and addresses that a server has signed are the key themselves."""
_NAMED = re.compile(
    rf"(?P<name>{_SECRETS})(?P<equals>\s*=\s*)"
    # An unquoted value ends with the next option: a streamid is #!::u=me,r=camera.
    r"(?:\"(?:\\.|[^\"\\])*\"?|'(?:\\.|[^'\\])*'?|[^\s&]+)",
    re.IGNORECASE,
)

_STREAM_KEY = re.compile(r"(rtmps?://[^/\s]+/[^/\s]+/)\S*[^\s:;,]", re.IGNORECASE)
"""The last part of an RTMP address lets everybody who knows it send."""


def masked(text: str, *, is_address: bool = False) -> str:
    """The text with *** for every password or stream key in an address or a GStreamer pipeline.

    Every message, log line, page and JSON that may hold an address passes through here. In doubt it
    hides too much: all up to the last @, for passwords hold what they should not.

    Args:
        is_address: the text is one address, in which a password may hold blanks.
    """
    if "://" not in text and "gst:" not in text and not is_address:
        return text  # a file may be called key=1.png
    text = (_IN_ADDRESS if is_address else _IN_WORDS).sub(_masked_account, text)
    text = _STREAM_KEY.sub(r"\1***", text)
    return _NAMED.sub(r"\g<name>\g<equals>***", text)


def _masked_account(found: re.Match[str]) -> str:
    """`rtsp://user:***@`, or `rtsp://***@` where what stands there may be a token."""
    user, colon, _ = found["account"].partition(":")
    return f"{found['scheme']}{user + colon if colon else ''}***@"
