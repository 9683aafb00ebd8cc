"""Tables in Markdown, on their own or in a file of somebody's: a README whose figures stay true."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from dehaze.runtime.errors import InputError, one_line

from ..results.records import Result
from .tables import Table, summary

__all__ = ["code", "filled_in", "markdown", "markdown_table"]

_BEGIN = r"<!-- dehaze-bench (?P<name>[^\n]+?) -->[ \t]*(?P<newline>\r?\n)"
_PLACE = re.compile(
    rf"(?P<begin>{_BEGIN})(?:(?!<!-- dehaze-bench ).)*?(?P<end><!-- end -->)", re.DOTALL
)


def markdown(words: object) -> str:
    """Words as they are, in one line, none of them taken for markup."""
    text = " ".join(str(words).split())
    for special in "\\|<`*_[":
        text = text.replace(special, f"\\{special}")
    return text


def markdown_table(table: Table) -> str:
    rule = "|---|" + "--:|" * (len(table.heads) - 1)
    lines = [f"| {' | '.join(map(markdown, row))} |" for row in (table.heads, *table.rows)]
    return "\n".join([lines[0], rule, *lines[1:]]) + "\n"


def code(words: object) -> str:
    """Words as code, in one line; no comment that would end a place to fill in."""
    text = " ".join(str(words).split()).replace("<!--", "<! --")
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{text}{fence}" if len(fence) == 1 else f"{fence} {text} {fence}"


def filled_in(path: Path, results: Mapping[str, Result]) -> str:
    """A file with tables over what stands between `<!-- dehaze-bench NAME -->` and `<!-- end -->`.

    Places of other names are left as they are, and so are the ends of lines.

    Args:
        path: a file in Markdown.
        results: by the name of their file, without `.json`.

    Raises:
        InputError: the file cannot be read, has no place for any of the results, or one without
            an end before the next begins.
    """
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({one_line(error)})") from error
    places = {place.start(): place["name"] for place in _PLACE.finditer(text)}
    for begin in re.finditer(_BEGIN, text):
        if begin["name"] in results and begin.start() not in places:
            raise InputError(f"{path}: expected <!-- end --> below {begin[0].strip()}, found none")
    if not {*places.values()} & results.keys():
        place = f"<!-- dehaze-bench {next(iter(results), 'NAME')} -->"
        raise InputError(f"{path}: expected a line {place} and, below it, <!-- end -->, found none")

    def filled(place: re.Match[str]) -> str:
        if (result := results.get(place["name"])) is None:
            return place[0]
        return f"{place['begin']}{_about(result).replace(chr(10), place['newline'])}{place['end']}"

    return _PLACE.sub(filled, text)


def _about(result: Result) -> str:
    machine = result.machine
    place = markdown(machine.gpu or f"{machine.processor}, {machine.usable_cores} cores")
    line = f"{code(result.command)}, {place}, {result.created[:10]}"
    return f"{markdown_table(summary(result))}\n{line}\n"
