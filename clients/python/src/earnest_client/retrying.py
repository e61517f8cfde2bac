"""How long to wait before the next attempt, and whether there is one."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Mapping
from typing import Final

FIRST_WAIT_SECONDS: Final = 0.1
WAIT_SECONDS_MAX: Final = 5.0
_COMMENT: Final = re.compile(r"#[^\n]*")


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
    """Whether an operation may be sent again when nobody knows whether it arrived."""
    text = _COMMENT.sub("", document)
    return "@idempotent" in text or re.search(r"\bmutation\b", text) is None
