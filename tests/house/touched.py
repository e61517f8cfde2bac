"""Counts in how many files one fact stands: a field that is kept and shown, and an action with all that belongs to it."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from functools import cache
from pathlib import Path
from statistics import mode
from typing import Final

from escrow.agreement import state
from escrow.agreement.commands import PARTY_COMMANDS
from escrow.agreement.events import CATALOGUE
from escrow.rules import RULES, Action
from tests.house import measures

FIELD_MAX: Final = 4
"""Its state, a migration, its model, its GraphQL type."""

ACTION_MAX: Final = 6
"""Its row of rules, command, decision, event, fold and mutation."""

_RULES: Final = ("escrow/agreement/", "escrow/previews.py", "webhooks/events/examples.py", "earnest/")
"""Where a field is used because a rule, or a page, is about it; a field that is only kept and shown is not there."""


def by_a_field() -> int:
    """In how many files a field of a contract's objects stands, without the rules that use it: the commonest number.

    Only names that say which field they are count: those of one class alone, and not a common word. Some fields stand in
    more, because a mutation takes them or a sum is made of them.
    """
    kept = [
        path
        for path in measures.sources()
        if str(path).startswith("escrow/agreement/state/") or not str(path).startswith(_RULES)
    ]
    return mode(len(_naming(name, kept)) for name in _fields())


def by_an_action() -> int:
    """In how many files an action stands, with its command, its event and its mutation: the commonest number.

    Some stand in more, because a refusal is about them alone.
    """
    return mode(len(_files_of(action)) for action in RULES)


def _fields() -> list[str]:
    classes = {one for one in vars(state).values() if isinstance(one, type) and dataclasses.is_dataclass(one)}
    names = Counter(field.name for one in classes for field in dataclasses.fields(one))
    return sorted(name for name, count in names.items() if count == 1 and name.count("_"))


def _files_of(action: Action) -> set[Path]:
    """The table of rules, and where its command, its decision, its event, its fold and its mutation stand, or are named."""
    rule = RULES[action]
    command = f"(commands\\.|import .*|class ){PARTY_COMMANDS[action].__name__}"
    event = f"{CATALOGUE[rule.event, 1].__name__}"
    told = {path for path in _naming(event, measures.sources()) if path.parts[-2] in ("events", "folds")}
    alone = _naming(f"Action\\.{action.name}", measures.sources())
    return {Path("escrow/rules.py")} | told | alone | _naming(command, measures.sources())


def _naming(name: str, paths: tuple[Path, ...] | list[Path]) -> set[Path]:
    word, last = re.compile(rf"\b{name}\b"), re.findall(r"\w+", name)[-1]
    return {path for path in paths if last in _words(path) and word.search(measures.text_of(path))}


@cache
def _words(path: Path) -> frozenset[str]:
    """All words of a file, so that most files needn't be read for most names."""
    return frozenset(re.findall(r"\w+", measures.text_of(path)))
