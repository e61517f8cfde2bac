"""Folds events about an account itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from escrow.accounts import events
from escrow.accounts.folds.base import Folds
from escrow.accounts.state import Account


def _disabled(state: Account, _: events.AccountDisabled, at: datetime) -> Account:
    return replace(state, disabled_at=at)


def _enabled(state: Account, _: events.AccountEnabled, __: datetime) -> Account:
    return replace(state, disabled_at=None)


def _appointed(state: Account, _: events.MediatorAppointed, __: datetime) -> Account:
    return replace(state, is_mediator=True)


def _dismissed(state: Account, _: events.MediatorDismissed, __: datetime) -> Account:
    return replace(state, is_mediator=False)


def _rate_set(state: Account, event: events.RateSet, _: datetime) -> Account:
    return replace(state, points_per_second=event.points_per_second)


FOLDS: Final[Folds] = {
    events.AccountDisabled: _disabled,
    events.AccountEnabled: _enabled,
    events.MediatorAppointed: _appointed,
    events.MediatorDismissed: _dismissed,
    events.RateSet: _rate_set,
}
