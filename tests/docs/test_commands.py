"""Every `earnest …` line that the docs tell a person to type is one that the command line takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from earnest.cli import make_parser

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "integrating").glob("*.md")),
    *sorted((ROOT / "docs" / "operating").glob("*.md")),
    *sorted((ROOT / "docs" / "stories").glob("*.md")),
]


def commands() -> list[str]:
    """Lines of code blocks that begin with the command, and code within sentences that does and says more than its name."""
    found = []
    for page in PAGES:
        text = page.read_text()
        found += re.findall(r"^ *(earnest [^\n#]+)", text, re.MULTILINE)
        found += re.findall(r"`(?:\.venv/bin/)?(earnest [a-z][^`\n]*)`", text)
    return sorted({command.strip() for command in found})


def test_the_docs_name_commands() -> None:
    assert len(commands()) > 5


@pytest.mark.parametrize("command", commands())
def test_a_command_in_the_docs_is_one_that_exists(command: str) -> None:
    make_parser().parse_args(shlex.split(command)[1:])
