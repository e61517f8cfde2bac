"""The law is one page, and whoever cites a section of it names the page and finds the section there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
FOLDERS: Final = ("escrow", "webhooks", "connectors", "schema", "api", "workers", "earnest", "tests")
LAW: Final = (ROOT / "docs" / "law.md").read_text(encoding="utf-8")

SECTION: Final = re.compile(r"\bsections?\s+(\d+)", re.IGNORECASE)
CITATION: Final = re.compile(r"docs/law\.md,\s+section \d+(?:(?:,|\s+and)\s+section \d+)*")


def sources() -> Iterator[tuple[str, str]]:
    """Each source file's name and its text, comments' and lines' beginnings taken out."""
    for folder in FOLDERS:
        for path in sorted(one for one in (ROOT / folder).rglob("*.py") if ".venv" not in one.parts):
            if path != Path(__file__):
                yield str(path.relative_to(ROOT)), re.sub(r"\n\s*#? *", " ", path.read_text(encoding="utf-8"))


def test_each_section_that_is_cited_is_in_the_law() -> None:
    there = set(re.findall(r"^## (\d+)\. ", LAW, re.MULTILINE))
    cited = {number for _, text in sources() for found in CITATION.findall(text) for number in SECTION.findall(found)}
    assert {"1", "3", "4", "6"} <= cited <= there


def test_no_section_is_cited_without_the_page() -> None:
    bare = []
    for name, text in sources():
        told = [found.span() for found in CITATION.finditer(text)]
        bare += [
            f"{name}: {found.group()}"
            for found in SECTION.finditer(text)
            if not any(start <= found.start() < end for start, end in told)
        ]
    assert bare == []


def test_each_link_within_the_law_leads_to_one_of_its_sections() -> None:
    titles = re.findall(r"^#+ (.+)$", LAW, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#([^)]+)\)", LAW)) <= anchors
