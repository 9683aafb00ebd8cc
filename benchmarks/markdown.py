"""Tables in Markdown, on their own or in a file of somebody's: a README whose figures stay true."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from dehaze.runtime.errors import InputError, one_line
from dehaze.runtime.output_file import finished_output

from .report_tables import Table, summary
from .results import Result

__all__ = ["fill_in", "markdown", "markdown_table"]

_PLACE = re.compile(
    r"(?P<begin><!-- dehaze-bench (?P<name>\S+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL
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


def fill_in(path: Path, results: Mapping[str, Result]) -> None:
    """Writes tables over what stands between `<!-- dehaze-bench NAME -->` and `<!-- end -->`.

    Places of other names are left as they are.

    Args:
        path: a file in Markdown.
        results: by the name of their file, without `.json`.

    Raises:
        InputError: the file cannot be read, or has no place for any of the results.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({one_line(error)})") from error
    if not {place["name"] for place in _PLACE.finditer(text)} & results.keys():
        place = f"<!-- dehaze-bench {next(iter(results), 'NAME')} -->"
        raise InputError(f"{path}: expected a line {place} and, below it, <!-- end -->, found none")

    def filled(place: re.Match[str]) -> str:
        if (result := results.get(place["name"])) is None:
            return place[0]
        return f"{place['begin']}{_about(result)}{place['end']}"

    with finished_output(path, overwrite=True) as unfinished:
        unfinished.write_text(_PLACE.sub(filled, text))


def _about(result: Result) -> str:
    machine = result.machine
    place = markdown(machine.gpu or f"{machine.processor}, {machine.usable_cores} cores")
    line = f"`{result.command}`, {place}, {result.created[:10]}"
    return f"{markdown_table(summary(result))}\n{line}\n"
