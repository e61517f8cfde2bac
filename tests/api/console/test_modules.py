"""What stands in the modules that browsers run: nothing that reads text as markup, nothing of anybody else, and not much."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from graphql import parse, validate

from tests.api.console.modules import HOME, LANGUAGES, compressed, documents, loaded_with, modules, named, ours, text_of

REFUSED = (
    "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "localStorage", "document.cookie",
    "style=", "createContextualFragment", "DOMParser", "setHTMLUnsafe", "javascript:", "new WebSocket", "XMLHttpRequest",
)  # fmt: skip

EMBEDDED_BYTES_MAX = 60_000
"""What a page loads that embeds a contract, compressed: the modules, and the catalogue of one language."""


@pytest.mark.parametrize("path", modules(), ids=named)
def test_no_module_reads_text_as_markup_or_keeps_what_outlives_the_tab(path: Path) -> None:
    text = text_of(path)
    assert not [word for word in REFUSED if word in text]


@pytest.mark.parametrize("path", modules(), ids=named)
def test_modules_import_modules_that_stand_here_and_nothing_else(path: Path) -> None:
    addresses = re.findall(r'(?:\bfrom |\bimport\(|^import )"([^"]+)"', text_of(path), re.MULTILINE)
    assert all(address.startswith(("./", "../")) for address in addresses)
    assert not [address for address in addresses if not (path.parent / address).resolve().is_file()]
    assert not [address for address in addresses if not (path.parent / address).resolve().is_relative_to(HOME)]


@pytest.mark.parametrize("path", modules(), ids=named)
def test_modules_open_with_what_they_own(path: Path) -> None:
    assert re.match(r"/\*\*\n \* Owns ", text_of(path))


def test_the_documents_of_all_modules_are_of_our_schema() -> None:
    faults = [(where, error.message) for where, text in documents() for error in validate(ours(), parse(text))]
    assert len(list(documents())) > 50
    assert faults == []


def test_each_document_has_a_name_of_its_own_in_its_module() -> None:
    names = [(where, match[1]) for where, text in documents() if (match := re.match(r"\w+ (\w+)", text))]
    assert len(names) == len(list(documents()))
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_an_embedding_page_loads_is_small(language: str) -> None:
    loaded = loaded_with(HOME / "earnest.js") | {(HOME / "texts" / f"{language}.js").resolve()}
    assert sum(map(compressed, loaded)) <= EMBEDDED_BYTES_MAX


def test_everything_is_loaded_at_once_or_when_its_element_is_there() -> None:
    later = [
        HOME / "core" / address for address in re.findall(r'import\("([^"]+)"\)', text_of(HOME / "core" / "later.js"))
    ]
    loaded = loaded_with(HOME / "earnest.js").union(*map(loaded_with, later))
    assert len(later) == 2
    assert loaded == {path.resolve() for path in modules() if path.parent.name != "texts"}
