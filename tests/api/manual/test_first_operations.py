"""Each operation that a browser is shown at `/graphql` runs as it stands there."""

from __future__ import annotations

from pathlib import Path

import pytest
from graphql import parse, validate

from api.manual.first_operations import MODULE, OPERATIONS, Operation, article
from schema.build import executable
from tests.api.client import People

ROOT = Path(__file__).parents[3]


def test_where_they_run_the_page_says_so_and_names_its_script() -> None:
    runs, reads = article(runs=True), article()
    assert runs.module == MODULE
    assert reads.module == ""
    assert "make explorer" in runs.text
    assert "make explorer" not in reads.text


def _words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.title)
def test_it_is_valid_and_stands_in_the_article(operation: Operation) -> None:
    assert validate(executable(), parse(operation.query)) == []
    assert operation.query in article().text


ASKED = [one for one in OPERATIONS if not one.query.startswith("subscription")]
"""A subscription has no single answer; the page about live streams has a test of its own."""


@pytest.mark.parametrize("operation", ASKED, ids=lambda one: one.title)
async def test_it_is_answered_without_an_error(people: People, operation: Operation) -> None:
    assert await people.client.ask(operation.query, dict(operation.variables))


def test_those_that_stand_in_documents_too_are_the_same() -> None:
    readme, sync = _words((ROOT / "README.md").read_text()), _words((ROOT / "docs/integrating/sync.md").read_text())
    named = {one.title.split(",")[0]: _words(one.query) for one in OPERATIONS}
    assert named["My contracts"] in readme
    assert named["What happened"] in readme
    assert named["Everything since a cursor"] in sync
    assert len(OPERATIONS) >= 12
