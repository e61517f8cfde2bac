"""Folds events about an early end."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from escrow.agreement import events
from escrow.agreement.folds.base import Folds
from escrow.agreement.state import Contract, Ending
from escrow.states import ContractState
from escrow.values import replace


def _end_requested(state: Contract, event: events.ContractEndRequested, at: datetime) -> Contract:
    return replace(state, ending=Ending(event.requested_by, at))


def _end_withdrawn(state: Contract, event: events.ContractEndWithdrawn, at: datetime) -> Contract:
    return replace(state, ending=None)


def _ended(state: Contract, event: events.ContractEnded, at: datetime) -> Contract:
    return replace(state, state=ContractState.ENDED)


FOLDS: Final[Folds] = {
    events.ContractEndRequested: _end_requested,
    events.ContractEndWithdrawn: _end_withdrawn,
    events.ContractEnded: _ended,
}
