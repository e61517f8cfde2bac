"""Finds articles by words: an index of their sections, made once, asked by the beginnings of words."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from api.manual.articles import Anchors, Article

HITS_MAX: Final = 30
WORDS_MAX: Final = 8
"""Words of a question that are looked for."""
CHARACTERS_MAX: Final = 200
"""Characters of a question that are looked at."""
ENDINGS_MAX: Final = 60
"""Words with one beginning that are looked at: a letter alone begins hundreds."""
SNIPPET_CHARACTERS: Final = 180

_WORD: Final = re.compile(r"\w+")
_HUMP: Final = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_MARKUP: Final = re.compile(r"\]\([^)]*\)|[`*|\[\]#]|<!--.*?-->|-{3,}")
_HEADING: Final = re.compile(r"^#{1,6} (.*)$", re.MULTILINE)
_FENCES: Final = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)

IN_TITLE: Final = 12
"""How much more a word is worth in a heading than once in a text."""


@dataclass(frozen=True, slots=True)
class Section:
    """What stands below one heading."""

    address: str
    title: str
    heading: str
    text: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A section that was found, and what of it is shown."""

    section: Section
    snippet: str


class SearchIndex:
    """The sections that were added, by their words."""

    def __init__(self) -> None:
        self._sections: list[Section] = []
        self._places: dict[str, dict[int, int]] = {}
        self._words: list[str] = []

    def add(self, article: Article) -> None:
        """Add the sections of an article."""
        for section in sections(article):
            number = len(self._sections)
            self._sections.append(section)
            weights = Counter(words(section.text))
            for word in (*words(section.heading), *words(section.title)):
                weights[word] += IN_TITLE
            for word, weight in weights.items():
                self._places.setdefault(word, {})[number] = weight
        self._words = []

    def find(self, question: str) -> list[Hit]:
        """The sections that have a word for each word of the question: those that are called so, and then the best first."""
        asked = list(dict.fromkeys(_WORD.findall(question[:CHARACTERS_MAX].casefold())))[:WORDS_MAX]
        if not asked:
            return []
        found: dict[int, int] | None = None
        for word in asked:
            weights = self._weights(word)
            found = weights if found is None else {n: found[n] + weights[n] for n in found.keys() & weights.keys()}
        name, shown = question.strip().casefold(), self._sections
        best = sorted(
            (found or {}).items(), key=lambda one: (shown[one[0]].heading.casefold() != name, -one[1], one[0])
        )
        return [Hit(self._sections[n], _snippet(self._sections[n].text, asked)) for n, _ in best[:HITS_MAX]]

    def _weights(self, beginning: str) -> dict[int, int]:
        """The sections with words that begin so; a whole word is worth twice as much."""
        if not self._words:
            self._words = sorted(self._places)
        found: dict[int, int] = {}
        start = bisect_left(self._words, beginning)
        for word in islice(self._words, start, start + ENDINGS_MAX):
            if not word.startswith(beginning):
                break
            for number, weight in self._places[word].items():
                found[number] = found.get(number, 0) + weight * (2 if word == beginning else 1)
        return found


def words(text: str) -> Iterator[str]:
    """The words of a text, and the parts of names such as `allowedActions`."""
    for word in _WORD.findall(text):
        yield word.casefold()
        parts = _HUMP.findall(word) if word.isascii() else []
        if len(parts) > 1:
            yield from (part.casefold() for part in parts)


def sections(article: Article) -> Iterator[Section]:
    """The article cut at its headings; what stands before the first belongs to it."""
    before, *parts = _HEADING.split(_FENCES.sub("", article.text))
    anchors = Anchors()
    for index in range(0, len(parts), 2):
        heading = _plain(parts[index])
        anchor = anchors.of(heading)
        text = _plain(f"{before if not index else ''} {parts[index + 1]}")
        yield Section(f"{article.address}#{anchor}" if index else article.address, article.title, heading, text)


def _plain(markdown: str) -> str:
    return " ".join(_MARKUP.sub("", markdown).split())


def _snippet(text: str, asked: Sequence[str]) -> str:
    """Some of the text, around the first word that was asked for."""
    low = text.casefold()
    places = [place for word in asked if (place := low.find(word)) >= 0]
    start = max(min(places, default=0) - SNIPPET_CHARACTERS // 3, 0)
    start = text.find(" ", start) + 1 if start else 0
    shown = text[start : start + SNIPPET_CHARACTERS]
    return f"{'… ' if start else ''}{shown}{' …' if start + SNIPPET_CHARACTERS < len(text) else ''}"
