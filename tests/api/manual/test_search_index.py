"""Words find sections: all of them, by their beginnings, the best first; and a question is bounded."""

from __future__ import annotations

import pytest

from api.manual.articles import Article
from api.manual.library import Library
from api.manual.rendering import rendered
from api.manual.search_index import CHARACTERS_MAX, ENDINGS_MAX, HITS_MAX, SearchIndex, sections, words


def _index(*texts: str) -> SearchIndex:
    index = SearchIndex()
    for number, text in enumerate(texts):
        index.add(Article.of(text, f"/docs/{number}"))
    return index


def _found(index: SearchIndex, question: str) -> list[str]:
    return [hit.section.address for hit in index.find(question)]


def test_all_words_must_be_there_and_beginnings_do() -> None:
    index = _index("# Money\n\nEscrow holds deposits.", "# Deadlines\n\nSilence releases deposits.")
    assert _found(index, "deposits") == ["/docs/0", "/docs/1"]
    assert _found(index, "depos escr") == ["/docs/0"]
    assert _found(index, "DEPOSITS silence") == ["/docs/1"]
    assert _found(index, "escrow silence") == []


def test_a_heading_counts_more_than_a_text_and_a_whole_word_more_than_a_beginning() -> None:
    index = _index("# A\n\nrefund refund refund", "# Refund\n\nwords", "# B\n\nrefunded")
    assert _found(index, "refund") == ["/docs/1", "/docs/0", "/docs/2"]


def test_a_section_is_found_by_itself_with_its_anchor() -> None:
    index = _index("# A\n\none\n\n## The `second` part\n\ntwo\n\n```\n# three\n```\n\n## The second part\n\nfour")
    assert _found(index, "two") == ["/docs/0#the-second-part"]
    assert _found(index, "four") == ["/docs/0#the-second-part-1"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("allowedActions", ["allowedactions", "allowed", "actions"]),
        ("EARNEST_PUBLIC_URL", ["earnest_public_url", "earnest", "public", "url"]),
        ("milestone.released", ["milestone", "released"]),
        ("snake_case", ["snake_case", "snake", "case"]),
        ("Straße 12", ["strasse", "12"]),
    ],
)
def test_names_are_found_by_their_parts(text: str, expected: list[str]) -> None:
    assert list(words(text)) == expected


@pytest.mark.parametrize("question", ["", "   ", "!?", "<script>", "\0", "a" * 100_000, " ".join("abcdefgh" * 1_000)])
def test_whatever_is_asked_is_answered(question: str) -> None:
    assert _index("# A\n\nwords").find(question) == []


def test_a_question_is_read_as_far_as_its_limit() -> None:
    assert _found(_index("# A\n\nescrow"), "escrow " + "!" * CHARACTERS_MAX + " nothing") == ["/docs/0"]


def test_hits_and_endings_are_bounded() -> None:
    index = _index(*(f"# Many {number}\n\nx{number:04}" for number in range(200)))
    assert len(index.find("many")) == HITS_MAX
    assert len(index._weights("x")) == ENDINGS_MAX


def test_a_snippet_shows_the_word_and_says_where_it_was_cut() -> None:
    index = _index(f"# A\n\n{'before ' * 100}needle {'after ' * 100}")
    (hit,) = index.find("needle")
    assert "needle" in hit.snippet
    assert hit.snippet.startswith("… ")
    assert hit.snippet.endswith(" …")


def test_every_section_of_every_article_is_where_its_page_says(books: Library) -> None:
    for article in books.articles.values():
        anchors = {one.anchor for one in rendered(article, lambda _: None).headings}
        found = list(sections(article))
        assert found, article.address
        assert {one.address.partition("#")[2] for one in found[1:]} <= anchors, article.address
        assert len(found) == len(anchors), article.address


@pytest.mark.parametrize(
    ("question", "address"),
    [
        ("approveMilestone", "/docs/schema/Mutation#approvemilestone"),
        ("OUT_OF_SEQUENCE", "/docs/errors/OUT_OF_SEQUENCE"),
        ("milestone.released", "/docs/events/milestone#milestonereleased"),
        ("replica OR pgbouncer nonsense xyzzy", ""),
    ],
)
def test_the_manual_is_found_by_what_one_looks_for(books: Library, question: str, address: str) -> None:
    index = SearchIndex()
    for article in books.articles.values():
        index.add(article)
    found = _found(index, question)
    assert (address in found[:5]) if address else (found == [])
