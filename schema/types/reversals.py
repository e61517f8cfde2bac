"""The type that tells what became of a deposit that the payment provider took back."""

from __future__ import annotations

from datetime import datetime

import strawberry

from escrow.agreement import state as domain
from escrow.states import ReversalState
from schema.types.common import Money, money_of


@strawberry.type(
    description="The provider took a deposit back that had come. Milestones that hold its money are frozen in the meantime."
)
class Reversal:
    state: ReversalState = strawberry.field(description="What became of it.")
    reversed_at: datetime = strawberry.field(description="When the provider took the money back.")
    evidence_due_at: datetime | None = strawberry.field(
        description="Until when the provider takes evidence, in real time; null if it didn't say."
    )
    taken: Money = strawberry.field(description="What the provider took in all, each time that it did.")
    given_back: Money = strawberry.field(description="What of that came again.")
    forfeited: Money = strawberry.field(
        description="What milestones and refunds gave up of it, fees included; the client gets it as far as it comes again."
    )
    restored: Money = strawberry.field(description="What of that came again and went to the client.")

    @classmethod
    def of(cls, deposit: domain.Deposit, currency: str) -> Reversal | None:
        if deposit.reversal is None or deposit.reversed_at is None:
            return None
        came_in = deposit.came_currency or currency
        known = deposit.known_reversals
        return cls(
            state=deposit.reversal,
            reversed_at=deposit.reversed_at,
            evidence_due_at=deposit.evidence_due_at,
            taken=money_of(sum(one.taken_minor for one in known), came_in),
            given_back=money_of(sum(one.given_back_minor for one in known), came_in),
            forfeited=money_of(deposit.forfeited_minor, came_in),
            restored=money_of(deposit.restored_minor, came_in),
        )
