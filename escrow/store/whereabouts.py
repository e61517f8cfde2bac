"""Remembers which contract a milestone, a deposit, an order, a request or a dispute belongs to: that never changes.

A command that names only one of those is looked for by it the first time, on as many servers as there are; from then on this
process names the contract, and so the one server that has it. What is forgotten, or was never known, is looked for again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from escrow.store.read import Subject

KNOWN_MAX: Final = 20_000
"""About 5 MB. Who is at work on a contract comes again soon."""

_WAYS: Final = ("milestone_id", "deposit_id", "order_id", "refund_id", "dispute_id", "change_request_id")
"""What leads to a contract."""

_known: Final[dict[str, str]] = {}
"""The contract of each, those that were asked about last at the end."""


def named(subject: Subject) -> Subject:
    """The subject with its contract, if that is known."""
    way = _way(subject)
    if way is None or (contract_id := _known.pop(way, None)) is None:
        return subject
    _known[way] = contract_id
    return replace(subject, contract_id=contract_id)


def remember(subject: Subject, contract_id: str | None) -> None:
    """Note to which contract the subject led, if to any."""
    way = _way(subject)
    if way is None or contract_id is None:
        return
    _known[way] = contract_id
    if len(_known) > KNOWN_MAX:
        del _known[next(iter(_known))]


def forget() -> None:
    """Know nothing, as a process that has just started."""
    _known.clear()


def _way(subject: Subject) -> str | None:
    """The one thing that leads to the contract, if the subject doesn't name that."""
    if subject.contract_id is not None:
        return None
    given = [one for name in _WAYS if (one := getattr(subject, name)) is not None]
    return given[0] if len(given) == 1 else None
