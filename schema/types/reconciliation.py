"""The type of differences between the payment provider's books and the ledger."""

from __future__ import annotations

from datetime import datetime

import strawberry

from escrow.payments import reconciliation
from escrow.payments.book_differences import DifferenceKind
from schema.engine.context import Context
from schema.types.common import Money, money_of


@strawberry.type(
    description="A sum that was another at the payment provider than in the ledger when they were last compared. Money that came "
    "in is positive."
)
class ReconciliationDifference:
    kind: DifferenceKind = strawberry.field(description="What differs.")
    subject: str = strawberry.field(
        description="The contract, the provider's name for the movement, the currency, or the order."
    )
    at_provider: Money = strawberry.field(description="By the provider's books.")
    in_ledger: Money = strawberry.field(description="By the clearing account.")
    found_at: datetime = strawberry.field(description="When it was first found, in real time.")


async def reconciliation_list(context: Context) -> list[ReconciliationDifference]:
    """What the last comparison found, for the operator alone."""
    context.operator()
    found = await reconciliation.open_differences()
    await context.afford(len(found))
    return [
        ReconciliationDifference(
            kind=one.difference.kind,
            subject=one.difference.subject,
            at_provider=money_of(one.difference.provider_minor, one.difference.currency),
            in_ledger=money_of(one.difference.ledger_minor, one.difference.currency),
            found_at=one.found_at,
        )
        for one in found
    ]
