"""What the console's pages ask is of our schema, and each asks by names of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import parse, validate

from tests.api.console.modules import HOME, ours, text_of

PAGES = sorted((HOME / "pages").glob("*.js"))

CONSTANT = re.compile(r'^(?:export )?const (\w+) = "([^"]*)";', re.MULTILINE)


def _documents(page: Path) -> Iterator[str]:
    """Every document that is marked by `gql`, with the pieces put in that stand in the module or in the base of all pages."""
    pieces = dict(CONSTANT.findall(text_of(HOME / "pages" / "page.js"))) | dict(CONSTANT.findall(text_of(page)))
    for document in re.findall(r"gql`([^`]*)`", text_of(page)):
        yield re.sub(r"\$\{(\w+)\}", lambda match: pieces[match[1]], document)


@pytest.mark.parametrize("page", PAGES, ids=lambda one: one.stem)
def test_what_a_page_asks_is_of_our_schema(page: Path) -> None:
    assert [error.message for text in _documents(page) for error in validate(ours(), parse(text))] == []


def test_documents_have_names_by_which_they_are_told_apart() -> None:
    names = [re.findall(r"^(?:query|mutation) (\w+)", text) for page in PAGES for text in _documents(page)]
    assert len(names) > 20
    assert all(names)
    assert len({name for (name,) in names}) == len(names)


@pytest.mark.parametrize("page", PAGES, ids=lambda one: one.stem)
def test_a_page_opens_with_what_it_owns(page: Path) -> None:
    assert re.match(r"/\*\*\n \* (?:Owns|Starts) ", text_of(page))
