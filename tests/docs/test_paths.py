"""What the documents say of files is true: every path that they name is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]

PATH = re.compile(r"`((?:escrow|webhooks|schema|api|workers|earnest|clients|tests|docs)/[\w./*{},-]*)`")

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


def test_every_decision_is_in_the_index_once() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text())
    assert sorted(listed) == sorted(path.name for path in folder.glob("0*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_page_that_a_page_links_to_is_there(page: Path) -> None:
    gone = sorted(link for link in LINK.findall(page.read_text()) if not (page.parent / link.strip()).exists())
    assert gone == []
