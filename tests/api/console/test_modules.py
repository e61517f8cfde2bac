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

SHOWN = tuple(f"elements/{name}.js" for name in ("contract", "deadline", "actions", "milestones", "money", "timeline"))
"""What every contract shows. The others are loaded when there is a change request or a dispute, when somebody writes a plan, …"""

FORMS = HOME / "core" / "forms.js"
"""Loaded with the first form that somebody opens."""

EMBEDDED_BYTES_MAX = 33_500
"""What a page loads that embeds a contract, compressed: the modules, and the catalogue of one language."""

ELEMENTS_BYTES_MAX = 49_500
"""All modules of all elements together, with the catalogue of one language: a reader loads one."""

LANGUAGES_BYTES_MAX = 65_000
"""The same with the catalogues of all languages, which nobody loads."""

PAGES = {
    "contracts": [], "money": [], "deliveries": [], "access": [], "calendar": [], "operator": [], "signin": [],
    "propose": ["elements/plan_editor.js"],
    "contract": [*SHOWN],
}  # fmt: skip
"""Pages of the console, and the elements that they are made of."""

PAGE_BYTES_MAX = 36_000
CONTRACT_BYTES_MAX = 47_500
"""A page of the console, with the texts of one language; and one that is made of elements."""


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


def sized(*names: str) -> int:
    """What these modules are, with all that they import."""
    return sum(map(compressed, set().union(*(loaded_with(HOME / name) for name in names))))


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_an_embedding_page_loads_is_small(language: str) -> None:
    loaded = sized("earnest.js", *SHOWN) + compressed(HOME / "texts" / f"{language}.js")
    assert loaded <= EMBEDDED_BYTES_MAX


def test_the_elements_are_small_all_together() -> None:
    every = [named(path) for path in modules() if path.parent.name != "texts"]
    catalogues = [compressed(HOME / "texts" / f"{language}.js") for language in LANGUAGES]
    assert sized(*every) + max(catalogues) <= ELEMENTS_BYTES_MAX
    assert sized(*every) + sum(catalogues) <= LANGUAGES_BYTES_MAX


@pytest.mark.parametrize(("page", "beside"), PAGES.items())
def test_a_page_of_the_console_loads_what_it_shows(page: str, beside: list[str]) -> None:
    loaded = sized("pages/main.js", f"pages/{page}.js", "pages/testclock.js", *beside)
    texts = max(
        compressed(HOME / "texts" / f"{language}.js") + compressed(HOME / "texts" / "pages" / f"{language}.js")
        for language in LANGUAGES
    )
    assert loaded + texts <= (CONTRACT_BYTES_MAX if beside else PAGE_BYTES_MAX)


def test_everything_is_loaded_when_its_element_is_there() -> None:
    offered = {
        tag: (HOME / address).resolve()
        for tag, address in re.findall(
            r'"(earnest-[a-z-]+)": \(\) => import\("\./([^"]+)"\)', text_of(HOME / "earnest.js")
        )
    }
    defined = {
        tag: path.resolve()
        for path in (HOME / "elements").glob("*.js")
        for tag in re.findall(r'^define\("([a-z-]+)"', text_of(path), re.MULTILINE)
    }
    assert offered == defined
    loaded = loaded_with(HOME / "earnest.js").union(loaded_with(FORMS), *map(loaded_with, offered.values()))
    assert loaded == {path.resolve() for path in modules() if path.parent.name != "texts"}


def test_every_page_of_the_console_is_offered_by_its_tag() -> None:
    pages = text_of(HOME / "pages" / "console.js")
    for tag, address in re.findall(r'"(earnest-[a-z-]+)": \(\) => import\("\./([^"]+)"\)', pages):
        assert f'define("{tag}", ' in text_of(HOME / "pages" / address)
    named_tags = set(re.findall(r'(?:tag|one): "(earnest-[a-z-]+)"', pages))
    assert named_tags <= set(re.findall(r'"(earnest-[a-z-]+)": \(\) => import', pages))
