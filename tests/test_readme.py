"""The commands and links in the documents work."""

from __future__ import annotations

import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from dehaze.runtime import open_dehazer

ROOT = Path(__file__).parent.parent
NOT_OURS = {".pytest_cache", ".venv", ".venv-demo", "build", "runs"}
DOCUMENTS = sorted(
    path for path in ROOT.rglob("*.md") if not NOT_OURS & set(path.relative_to(ROOT).parts)
)
PACKAGE = {"run": "runtime", "train": "train", "export": "export", "bench": "benchmarks"}


def commands() -> list[str]:
    """The lines of all code blocks that call one of our commands, without their comments."""
    blocks = [b for d in DOCUMENTS for b in re.findall(r"```\w*\n(.*?)```", d.read_text(), re.S)]
    whole = [block.replace("\\\n", " ") for block in blocks]  # a command may go on in the next line
    lines = [line.split("  #")[0].strip() for block in whole for line in block.splitlines()]
    return sorted({line for line in lines if line.startswith("dehaze-")})


@pytest.mark.parametrize("command", commands())
def test_documented_commands_are_understood(command: str) -> None:
    name, *arguments = shlex.split(command)
    cli = import_module(f"dehaze.{PACKAGE[name.removeprefix('dehaze-')]}.cli")
    assert vars(cli.build_parser().parse_args(arguments))


def test_there_are_documented_commands() -> None:
    assert {line.split()[0] for line in commands()} == {f"dehaze-{name}" for name in PACKAGE}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)", document.read_text()):
        if target.startswith("http"):
            continue
        page = document.parent / target if target else document
        assert page.exists(), target
        if anchor and page.suffix == ".md":
            assert anchor in anchors(page), f"{target}#{anchor}"


def anchors(page: Path) -> set[str]:
    """What GitHub calls the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    words = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {name.replace(" ", "-") for name in words}


def test_the_readme_knows_the_number_of_parameters() -> None:
    with open_dehazer("edge") as dehazer:
        number = f"{dehazer.contract.parameters:,}".replace(",", " ")
    assert number in (ROOT / "README.md").read_text()
