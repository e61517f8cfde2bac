"""The type that tells that a party is ending the contract."""

from __future__ import annotations

from datetime import datetime

import strawberry

from escrow.access import Side
from escrow.agreement import state as domain


@strawberry.type(description="A party is ending the contract: nothing new begins, and what is held goes where it must.")
class Ending:
    by: Side = strawberry.field(description="Who is ending it.")
    requested_at: datetime = strawberry.field(description="Since when.")
    money_went_back: bool = strawberry.field(
        description="Whether escrow money went to the client since: then it can't be taken back any more."
    )

    @classmethod
    def of(cls, ending: domain.Ending) -> Ending:
        return cls(by=ending.by, requested_at=ending.requested_at, money_went_back=ending.money_went_back)
