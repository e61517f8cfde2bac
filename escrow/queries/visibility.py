"""Decides which contracts an actor may see, for statements: by the law of `access.may_see`, asked row by row."""

from __future__ import annotations

from typing import Final

from escrow.access import Actor, ActorKind, may_see
from escrow.database import Record

SEEN_BY: Final = "c.client_id, c.freelancer_id, c.was_disputed"
"""What of the contract `c` a statement selects, so that `sees` can tell who sees its rows."""


def sees(actor: Actor, row: Record, *, contract_id: str) -> bool:
    """Whether the contract of a row with `SEEN_BY` exists for the actor."""
    return may_see(
        actor,
        contract_id=contract_id,
        client_id=row["client_id"],
        freelancer_id=row["freelancer_id"],
        is_mediator=actor.is_mediator,
        was_disputed=row["was_disputed"],
    )


def handles_money(actor: Actor, row: Record, *, contract_id: str) -> bool:
    """Whether the actor sees how money comes and goes with the contract of a row with `SEEN_BY`: mediators don't."""
    return may_see(actor, contract_id=contract_id, client_id=row["client_id"], freelancer_id=row["freelancer_id"])


def roles(actor: Actor) -> tuple[str, ...]:
    """The ways in which an actor sees contracts `c`, as conditions for one scan each; no contract satisfies two of them.

    `$1` is the actor's account. The operator sees everything.
    """
    if actor.kind is ActorKind.OPERATOR:
        return ("($1::text IS NOT NULL OR true)",)
    own = ("c.client_id = $1", "c.freelancer_id = $1")
    return (*own, "c.was_disputed AND $1 NOT IN (c.client_id, c.freelancer_id)") if actor.is_mediator else own
