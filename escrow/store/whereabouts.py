"""Remembers which contract a milestone, a deposit, an order, a request or a dispute belongs to: that never changes.

A command that names only one of those is looked for by it the first time, on as many servers as there are; from then on this
process names the contract, and so the one server that has it. What is forgotten, or was never known, is looked for again.
The annex asks here, too, in a thread of its own.
"""

from __future__ import annotations

from threading import Lock
from typing import Final

KNOWN_MAX: Final = 20_000
"""About 5 MB. Who is at work on a contract comes again soon."""

_known: Final[dict[str, str]] = {}
"""The contract of each, those that were asked about last at the end."""

_at_it: Final = Lock()


def contract_of(part_id: str | None) -> str | None:
    """The contract that this belongs to, if that is known; nothing belongs to none."""
    with _at_it:
        if part_id is None or (contract_id := _known.pop(part_id, None)) is None:
            return None
        _known[part_id] = contract_id
        return contract_id


def remember(part_id: str | None, contract_id: str | None) -> None:
    """Note where it led, if it led anywhere."""
    if part_id is None or contract_id is None:
        return
    with _at_it:
        _known[part_id] = contract_id
        if len(_known) > KNOWN_MAX:
            del _known[next(iter(_known))]


def forget() -> None:
    """Know nothing, as a process that has just started."""
    with _at_it:
        _known.clear()
