"""Folds what the payment provider says of a payee."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from escrow.accounts import events
from escrow.accounts.folds.base import Folds
from escrow.accounts.state import Account, Payee


def _changed(state: Account, event: events.PayeeChanged, at: datetime) -> Account:
    before = state.payee
    is_as_before = before is not None and before.provider == event.provider and before.can_be_paid == event.can_be_paid
    payee = Payee(
        provider=event.provider,
        payee_id=event.payee_id,
        can_be_paid=event.can_be_paid,
        missing=event.missing,
        since=before.since if before is not None and is_as_before else at,
        until=event.until,
    )
    return replace(state, payee=payee)


FOLDS: Final[Folds] = {events.PayeeChanged: _changed}
