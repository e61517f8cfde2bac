"""How long to wait before the next attempt, and whether there is one."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Mapping
from typing import Final

FIRST_WAIT_SECONDS: Final = 0.1
WAIT_SECONDS_MAX: Final = 5.0
_TOKEN: Final = re.compile(  # of GraphQL
    r"""
    (?P<ignored> [\s,\ufeff]+ | \#[^\n\r]* )
  | (?P<string> \"{3} (?: \\\"{3} | (?!\\?\"{3})[\s\S] )* \"{3} | \"(?: \\. | [^"\\\n\r] )*\" )
  | [A-Za-z_][A-Za-z_0-9]* | [\s\S]
    """,
    re.VERBOSE,
)
_CLOSING: Final = {"(": ")", "[": "]", "{": "}"}
_NAME: Final = r"[A-Za-z_][A-Za-z_0-9]* "
_DIRECTIVES: Final = rf"(?:@ {_NAME}(?:\( \) )?)*"
_OTHER_DIRECTIVES: Final = rf"(?:@ (?!idempotent ){_NAME}(?:\( \) )?)*"
_FIELD: Final = rf"{_NAME}(?:: {_NAME})?(?:\( \) )?{_OTHER_DIRECTIVES}@ idempotent \( \) {_DIRECTIVES}(?:\{{ \}} )?"
_MUTATION: Final = rf"mutation (?:{_NAME})?(?:\( \) )?{_DIRECTIVES}\{{ (?:{_FIELD})+\}} "
_OTHER: Final = r"(?:(?:query|subscription|fragment) [^{}]*)?\{ (?:[^{}]|\{ \} )*\} "
_REPEATABLE: Final = re.compile(rf"(?:{_MUTATION}|{_OTHER})+")


class Patience:
    """The attempts of one request: how often it failed, and until when it may go on."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._failures = 0

    def wait_seconds(self, at_least: float = 0.0) -> float | None:
        """How long to wait now, longer each time; `None` once patience is over, or would be by then."""
        ceiling = min(FIRST_WAIT_SECONDS * 2.0**self._failures, WAIT_SECONDS_MAX)
        self._failures = min(self._failures + 1, 30)
        wait = max(at_least, ceiling * random.uniform(0.5, 1.0))
        return wait if time.monotonic() + wait < self._until else None


def retry_after_seconds(headers: Mapping[str, str]) -> float:
    """What the header `retry-after` asks for, in seconds; 0 if it says nothing that can be read."""
    told = headers.get("retry-after", "")
    return float(told) if told.isdigit() else 0.0


def is_repeatable(document: str) -> bool:
    """Whether its operations may be sent again when nobody knows whether they arrived.

    Every field of a mutation needs its own `@idempotent`. What can't be told for certain may not, as a fragment among them.
    """
    return _REPEATABLE.fullmatch(_outline(document)) is not None


def _outline(document: str) -> str:
    """Definitions and the fields right in them, a space behind each token, without what is in further brackets.

    Empty if brackets or quotes don't fit.
    """
    outline: list[str] = []
    open_ones: list[str] = []
    for token in _TOKEN.finditer(document):
        text = '""' if token["string"] else token[0]
        if text == '"' or (text in _CLOSING.values() and (not open_ones or _CLOSING[open_ones.pop()] != text)):
            return ""
        if not token["ignored"] and open_ones in ([], ["{"]):
            outline.append(f"{text} ")
        if text in _CLOSING:
            open_ones.append(text)
    return "" if open_ones else "".join(outline)
