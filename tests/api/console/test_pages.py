"""What the console's pages ask is of our schema, each by names of its own; what they and the elements do is done once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import FieldNode, OperationDefinitionNode, OperationType, parse, validate

from tests.api.console.modules import HOME, documents, ours, text_of

PAGES = sorted((HOME / "pages").glob("*.js"))

CONSTANT = re.compile(r'^(?:export )?const (\w+) = "([^"]*)";', re.MULTILINE)

UNREPEATED = {"connectPayee", "openSession"}
"""What takes no key: asking again for a link to the provider's form gives another one, and a link's code works once by itself."""


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


def _commands() -> Iterator[FieldNode]:
    """The field of every mutation that a page or an element sends."""
    for text in [*(text for page in PAGES for text in _documents(page)), *(text for _, text in documents())]:
        for one in parse(text).definitions:
            if isinstance(one, OperationDefinitionNode) and one.operation is OperationType.MUTATION:
                yield from (field for field in one.selection_set.selections if isinstance(field, FieldNode))


def test_a_command_whose_answer_was_lost_is_sent_again_by_its_key() -> None:
    commands = list(_commands())
    keyed = [field for field in commands if "idempotent" in {one.name.value for one in field.directives or ()}]
    assert len(keyed) > 50
    assert {field.name.value for field in commands if field not in keyed} == UNREPEATED


@pytest.mark.parametrize("page", PAGES, ids=lambda one: one.stem)
def test_a_page_opens_with_what_it_owns(page: Path) -> None:
    assert re.match(r"/\*\*\n \* (?:Owns|Starts) ", text_of(page))
