"""The type that tells what became of a deposit that the payment provider took back."""

from __future__ import annotations

from datetime import datetime

import strawberry

from escrow.agreement import state as domain
from escrow.states import ReversalState
from schema.types.common import Money, money_of


@strawberry.type(
    description="The provider took a confirmed deposit back. Milestones that hold its money are frozen meanwhile."
)
class Reversal:
    state: ReversalState = strawberry.field(description="What became of it.")
    reversed_at: datetime = strawberry.field(description="When the provider took the money back.")
    forfeited: Money = strawberry.field(
        description="What milestones gave up of it before the argument ended, fees included; the client gets it if it is won."
    )

    @classmethod
    def of(cls, deposit: domain.Deposit, currency: str) -> Reversal | None:
        if deposit.reversal is None or deposit.reversed_at is None:
            return None
        return cls(
            state=deposit.reversal,
            reversed_at=deposit.reversed_at,
            forfeited=money_of(deposit.forfeited_minor, currency),
        )
