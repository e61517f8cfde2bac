"""How long to wait before the next attempt, and whether there is one."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

FIRST_WAIT_SECONDS: Final = 0.05
"""Who was let go because a process went is taken by another, or by the next one, in a moment."""
GROWTH: Final = 1.5
"""Each wait is so much longer: whoever was away is found again a quarter later on average."""
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
    """The attempts of one request, or of one stream: how long to wait between them, and until when they may go on."""

    def __init__(self, seconds: float) -> None:
        self._began = time.monotonic()
        self._until = self._began + seconds
        self._ceiling = FIRST_WAIT_SECONDS

    def wait_seconds(self, at_least: float = 0.0) -> float | None:
        """How long to wait now; `None` once patience is over, or would be by then.

        Hardly at all at first, longer each time, and by chance, so that not all come back at once. What went well for longer
        than the longest wait, as a stream on which nothing happened, begins anew.
        """
        now = time.monotonic()
        if now - self._began > WAIT_SECONDS_MAX:
            self._ceiling = FIRST_WAIT_SECONDS
        wait = max(at_least, self._ceiling * random.uniform(0.5, 1.0))
        self._ceiling = min(self._ceiling * GROWTH, WAIT_SECONDS_MAX)
        self._began = now + wait
        return wait if self._began < self._until else None


def retry_after_seconds(headers: Mapping[str, str]) -> float:
    """What the header `retry-after` asks for, as seconds or as a date; 0 if it says nothing that can be read."""
    told = headers.get("retry-after", "").strip()
    if told.isascii() and told.isdigit():
        return float(told)
    try:
        at = parsedate_to_datetime(told)
    except ValueError:
        return 0.0
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


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
