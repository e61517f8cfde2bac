"""Says which contracts an actor may see, as pieces of SQL: the law of `access.may_see` where the rows are."""

from __future__ import annotations

from typing import Final

from escrow.access import Actor, ActorKind
from escrow.database import unseen

_ME: Final = unseen(":viewer::text")
_ALL: Final = unseen(":viewer_sees_all::boolean")
_MEDIATES: Final = unseen(":viewer_mediates::boolean")
_LIMIT: Final = unseen(":viewer_limit::text[]")

SEEN: Final = f"""(
    ({_LIMIT} IS NULL OR c.id = ANY ({_LIMIT}))
    AND ({_ALL} OR {_ME} IN (c.client_id, c.freelancer_id) OR ({_MEDIATES} AND c.was_disputed)))"""
"""Whether the contract `c` exists for who looks, for a `database.Statement`; its parameters are `viewer`."""

STREAM_SEEN: Final = f"""CASE WHEN c.id IS NOT NULL THEN {SEEN}
    ELSE {_LIMIT} IS NULL AND ({_ALL} OR found.stream_id = {_ME}) END"""
"""The same of the stream of a row `found`: a contract's, if there is a contract `c` for it, else an account's."""


_SEES_ALL: Final = frozenset({ActorKind.OPERATOR, ActorKind.PROVIDER, ActorKind.CLOCK})


def viewer(actor: Actor, *, money: bool = False) -> dict[str, object]:
    """Who looks, as `SEEN` asks for it; with `money`, who looks at how money comes and goes: mediators don't see that."""
    return {
        "viewer": actor.account_id,
        "viewer_sees_all": actor.kind in _SEES_ALL,
        "viewer_mediates": actor.is_mediator and not money,
        "viewer_limit": sorted(actor.contract_ids) if actor.contract_ids is not None else None,
    }


def roles(actor: Actor) -> tuple[str, ...]:
    """The ways in which an actor sees contracts `c`, as conditions for one scan each; no contract satisfies two of them.

    `$1` is the actor's account. The operator sees everything.
    """
    if actor.kind is ActorKind.OPERATOR:
        return ("($1::text IS NOT NULL OR true)",)
    own = ("c.client_id = $1", "c.freelancer_id = $1")
    return (*own, "c.was_disputed AND $1 NOT IN (c.client_id, c.freelancer_id)") if actor.is_mediator else own
