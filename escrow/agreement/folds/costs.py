"""Folds what the payment provider's books tell of fees and of money that it changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from escrow.agreement import events
from escrow.agreement.folds.base import Folds
from escrow.agreement.state import Contract, Cost


def _cost_booked(state: Contract, event: events.CostBooked, at: datetime) -> Contract:
    cost = Cost(
        id=event.movement,
        fee=event.fee,
        is_fee_returned=bool(event.is_fee_returned),
        given=event.given,
        got=event.got,
        booked_at=at,
    )
    return replace(state, costs={**state.costs, cost.id: cost})


FOLDS: Final[Folds] = {
    events.CostBooked: _cost_booked,
}
