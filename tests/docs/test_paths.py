"""What the documents say of files is true: every path that they name is there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]

TOP = "escrow|webhooks|connectors|schema|api|workers|earnest|ops|clients|tests|docs"

PATH = re.compile(rf"`((?:{TOP})/[\w./*{{}},-]*)`")

FILE = re.compile(rf"(?<![\w/.@-])(?:{TOP})/[\w./-]*\.(?:py|md|toml|json|yml|js|mjs|ts|graphql)\b")
"""The same without backquotes, as comments and docstrings name a file."""

OF_OTHERS = ("__pycache__", "node_modules")

LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#]+)")


def _spelled_out(path: str) -> Iterator[str]:
    """Each path of one with alternatives in braces: `a/{b,c}.py`."""
    choice = re.search(r"\{([^{}]+)\}", path)
    if choice is None:
        yield path
        return
    for one in choice.group(1).split(","):
        yield from _spelled_out(path[: choice.start()] + one.strip() + path[choice.end() :])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text()
    named = {one for path in PATH.findall(text) for one in _spelled_out(path)}
    gone = sorted(path for path in named if not list(ROOT.glob(path.rstrip("/"))))
    assert gone == []


def _sources() -> Iterator[Path]:
    for top in TOP.split("|"):
        for folder, folders, names in os.walk(ROOT / top):
            folders[:] = [name for name in folders if name not in OF_OTHERS and not name.startswith(".")]
            yield from (Path(folder, name) for name in names if name.endswith((".py", ".toml", ".yml", "file")))


def test_every_file_that_a_comment_names_is_there() -> None:
    named = {(str(one.relative_to(ROOT)), path) for one in _sources() for path in FILE.findall(one.read_text())}
    assert len(named) > 50
    assert sorted((where, path) for where, path in named if not (ROOT / path).exists()) == []


def test_every_decision_is_in_the_index_once() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text())
    assert sorted(listed) == sorted(path.name for path in folder.glob("0*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_page_that_a_page_links_to_is_there(page: Path) -> None:
    gone = sorted(link for link in LINK.findall(page.read_text()) if not (page.parent / link.strip()).exists())
    assert gone == []
