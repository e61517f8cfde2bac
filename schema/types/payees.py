"""The type of payees: whether the payment provider pays an account, and what it waits for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import strawberry

from escrow.accounts import queries
from escrow.accounts import state as accounts
from schema.engine.context import Context
from schema.engine.data_loaders import data_loader


@strawberry.type(description="An account as the payment provider knows it.")
class Payee:
    can_be_paid: bool = strawberry.field(description="Whether the provider pays it now, as it said last.")
    missing: list[str] = strawberry.field(
        description="What the provider waits for from the account, in the provider's own words."
    )
    since: datetime = strawberry.field(description="Since when it can be paid, or can't.")
    until: datetime | None = strawberry.field(
        description="When something missing will have it paid no more, in real time; null if nothing will."
    )

    @classmethod
    def of(cls, payee: accounts.Payee) -> Payee:
        return cls(can_be_paid=payee.can_be_paid, missing=list(payee.missing), since=payee.since, until=payee.until)


@data_loader
async def payee_of(account_ids: Sequence[str], context: Context) -> list[Payee | None]:
    """Payees by account, as far as the viewer may see them: one statement for all that are asked for."""
    found = await queries.payees_of_accounts(context.known(), list(dict.fromkeys(account_ids)))
    return [Payee.of(found[one]) if one in found else None for one in account_ids]
