"""Which articles there are, under which addresses; and that nothing else can be meant."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from api.manual.frame import NAVIGATION, STYLE_ADDRESS
from api.manual.library import BESIDE, CHECKOUT, Library, address_of, collect
from schema.build import executable

LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?!https?:|#|mailto:)([^)#\s]+)")


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("README.md", "/docs"),
        ("ARCHITECTURE.md", "/docs/architecture"),
        ("docs/law.md", "/docs/law"),
        ("docs/good-plans.md", "/docs/good-plans"),
        ("docs/events/README.md", "/docs/events"),
        ("docs/integrating/sync.md", "/docs/integrating/sync"),
    ],
)
def test_a_document_has_an_address(path: str, address: str) -> None:
    assert address_of(path) == address


def test_every_document_of_the_checkout_is_there_with_its_title(books: Library) -> None:
    for path in [*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").rglob("*.md")]:
        name = path.relative_to(CHECKOUT).as_posix()
        article = books.articles[address_of(name)]
        assert article.source == name
        assert article.text == path.read_text(), "the events too, which come from the code"
        assert article.title
        assert not article.title.startswith("/")


def test_no_two_articles_have_one_address_and_none_is_in_the_way_of_another(books: Library) -> None:
    documents = [one for one in books.articles.values() if one.source]
    assert len({one.address for one in documents}) == len(documents)
    assert STYLE_ADDRESS not in books.articles
    assert not {one.address for one in documents} & {"/docs/schema", "/docs/errors"}


def test_navigation_leads_to_articles(books: Library) -> None:
    led_to = {address for address, _ in NAVIGATION}
    assert led_to <= set(books.articles)
    assert {"/docs/guide", *(one for one in books.articles if one.startswith("/docs/integrating/"))} <= led_to


def test_every_link_between_documents_is_kept(books: Library) -> None:
    """A link to another document works in the repository (a test of the paths says so) and here."""
    lost = [
        (article.address, link)
        for article in books.articles.values()
        for link in LINK.findall(re.sub(r"```.*?```", "", article.text, flags=re.DOTALL))
        if link.endswith(".md") or link.startswith("/") or "schema.graphql" in link
        if books.address(link, article.source) is None
    ]
    assert lost == []


@pytest.mark.parametrize(
    "link",
    [
        "../../../etc/passwd",
        "/etc/passwd",
        "../pyproject.toml",
        "..",
        "",
        "//evil.example",
        "law.md/../../../etc/passwd",
        "\0",
    ],
)
def test_a_link_to_what_is_not_served_leads_nowhere(books: Library, link: str) -> None:
    assert books.address(link, "docs/law.md") is None


def test_what_is_served_beside_the_manual_may_be_linked_to(books: Library) -> None:
    assert all(books.address(one, "") == one for one in BESIDE)


def test_a_file_that_lies_elsewhere_is_not_read(tmp_path: Path) -> None:
    root = tmp_path / "checkout"
    (root / "docs").mkdir(parents=True)
    secret = tmp_path / "secret.md"
    secret.write_text("# Of nobody else")
    (root / "docs" / "open.md").write_text("# Open")
    (root / "docs" / "secret.md").symlink_to(secret)
    (root / "README.md").symlink_to(secret)
    (root / "docs" / "away").symlink_to(tmp_path)
    found = collect(executable(), root)
    assert found.articles["/docs/open"].text == "# Open"
    assert not any("Of nobody else" in one.text for one in found.articles.values())


def test_without_documents_it_says_so_and_shows_what_is_written_from_the_code(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# Of somebody else: the folder that packages are installed in")
    found = collect(executable(), tmp_path)
    assert "this installation has only the packages" in found.articles["/docs"].text
    assert {"/docs/schema/Contract", "/docs/events/milestone", "/docs/errors/INVALID_STATE"} <= set(found.articles)
    assert all(found.address(link, "README.md") for link in ("/docs/schema", "/docs/events", "/docs/errors"))
