"""Folds changes of the operator's fees."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from escrow.accounts import events
from escrow.accounts.folds.base import Folds
from escrow.accounts.state import Account


def _fees_changed(state: Account, event: events.FeesChanged, _: datetime) -> Account:
    return replace(state, fees=event.fees)


FOLDS: Final[Folds] = {
    events.FeesChanged: _fees_changed,
}
