"""The types that many others share: nodes, money, actors."""

from __future__ import annotations

from functools import lru_cache

import strawberry

from escrow import money
from escrow.access import ActorKind
from schema.engine.context import Context
from schema.scalars import CurrencyCode, DecimalText


@strawberry.interface(description="Anything that has an identifier of its own.")
class Node:
    id: strawberry.ID = strawberry.field(
        description="The identifier, the same in the API, in events, in webhooks and in logs: a prefix and a time-ordered UUID."
    )


@strawberry.type(description="An exact amount of one currency.")
class Money:
    amount: DecimalText = strawberry.field(
        description="The amount in major units, with exactly as many decimals as the currency has: `1250.00`."
    )
    currency: CurrencyCode = strawberry.field(description="The currency.")


@lru_cache(maxsize=4096)
def money_of(minor: int, currency: str) -> Money:
    """`minor` minor units of `currency`. Most amounts of a page are zero or come again, so they are made once."""
    return Money(amount=DecimalText(money.Money(minor, currency).amount), currency=CurrencyCode(currency))


@strawberry.type(description="Who did something.")
class Actor:
    kind: ActorKind = strawberry.field(
        description="An account, the operator, the payment provider, the clock, or the service itself."
    )
    account_id: strawberry.ID | None = strawberry.field(description="The account that it was done for.")
    member_id: strawberry.ID | None = strawberry.field(description="The member whose key was used.")
    key_id: strawberry.ID | None = strawberry.field(description="The API key that was used.")
    session_id: strawberry.ID | None = strawberry.field(description="The session that was used instead of a key.")

    @classmethod
    def of(cls, wire: dict[str, str]) -> Actor:
        """The actor as an event names it."""
        return cls(
            kind=ActorKind(wire["kind"]),
            account_id=as_id(wire.get("account")),
            member_id=as_id(wire.get("member")),
            key_id=as_id(wire.get("key")),
            session_id=as_id(wire.get("session")),
        )


def as_id(identifier: str | None) -> strawberry.ID | None:
    """An identifier that may be absent, as GraphQL's ID."""
    return strawberry.ID(identifier) if identifier is not None else None


def sees_whole(account_id: str, context: Context) -> bool:
    actor = context.known()
    return actor.contract_ids is None and (actor.kind is ActorKind.OPERATOR or actor.account_id == account_id)
