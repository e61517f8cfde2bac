"""Defines what the manual consists of: articles, written in Markdown, each with its address."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

HOME: Final = "/docs"
"""The address of the first article; all others are below it."""

_NO_ANCHOR: Final = re.compile(r"[^\w\- ]")

_TITLE: Final = re.compile(r"^# (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Article:
    """One page of the manual; `source` is the path of its file from the project's root, if it has one, and `module` the address
    of the one script that runs in it."""

    address: str
    title: str
    text: str
    source: str = ""
    module: str = ""

    @classmethod
    def of(cls, text: str, address: str, source: str = "", *, module: str = "") -> Article:
        """An article that is called as its first heading says."""
        found = _TITLE.search(text)
        return cls(address, found.group(1).replace("`", "") if found else address, text, source, module)


@dataclass(slots=True)
class Anchors:
    """Names the headings of one article as repository hosts do, so that links to them work at both places."""

    _used: Counter[str] = field(default_factory=Counter)

    def of(self, heading: str) -> str:
        """The name of the next heading, whose words are these."""
        name = _NO_ANCHOR.sub("", heading.lower()).replace(" ", "-")
        times = self._used[name]
        self._used[name] += 1
        return f"{name}-{times}" if times else name
