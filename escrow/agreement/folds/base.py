"""What a fold is, and the one that leaves a contract as it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from escrow.agreement.events import Event
from escrow.agreement.state import Contract

Fold = Callable[[Contract, Any, datetime], Contract]
"""The contract after an event of one type that happened at a time."""

Folds = Mapping[type[Event], Fold]


def as_it_was(state: Contract, event: Event, at: datetime) -> Contract:
    """Somebody was told, or what the event says is carried out by the ones that follow it."""
    return state
