"""Reads disputes as an actor may see them, one by one or of all contracts, and the evidence in each."""

# ruff: noqa: S608 - only our own tables and columns are filled into statements

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from escrow import database
from escrow.access import Actor
from escrow.agreement.state import Dispute
from escrow.ids import Kind
from escrow.queries import counts
from escrow.queries.counts import Counted
from escrow.queries.views import Pages, View, selected, view, viewed
from escrow.queries.visibility import roles
from escrow.states import DisputeState
from escrow.store import tables

DISPUTES: Final = viewed(tables.DISPUTES, Kind.DISPUTE)

EVIDENCE: Final = Pages(select=selected(tables.EVIDENCE), read=tables.EVIDENCE.read)


async def disputes_page(
    actor: Actor, *, states: Collection[DisputeState] | None, limit: int, after: str | None, backwards: bool = False
) -> list[View[Dispute]]:
    """At most `limit` disputes of all contracts that the actor may see, oldest first, those after the id `after`.

    `backwards` turns the order round: the newest first, those before the id.
    """
    rows = await database.fetch(*_listed(actor, states, limit=limit, after=after, backwards=backwards))
    return [view(tables.DISPUTES, row) for row in rows]


async def disputes_counted(actor: Actor, *, states: Collection[DisputeState] | None) -> Counted:
    """How many disputes such a list has; one statement."""
    return await counts.counted(*_listed(actor, states, limit=counts.COUNTED_MAX + 1, after=None, backwards=False))


def _listed(
    actor: Actor, states: Collection[DisputeState] | None, *, limit: int, after: str | None, backwards: bool
) -> tuple[str, *tuple[object, ...]]:
    """The statement of a list, and its arguments: one scan for each way in which the actor sees contracts, merged."""
    scans = " UNION ALL ".join(f"({_dispute_scan(role, states, backwards=backwards)})" for role in roles(actor))
    return (
        f"SELECT * FROM ({scans}) found ORDER BY id {'DESC' if backwards else 'ASC'} LIMIT $2",
        actor.account_id,
        limit,
        after or ("~" if backwards else ""),
        sorted(actor.contract_ids) if actor.contract_ids is not None else None,
    )


def _dispute_scan(role: str, states: Collection[DisputeState] | None, *, backwards: bool) -> str:
    # Written out, so that the few disputes in mediation are found by an index of their own.
    listed = ", ".join(f"'{state.value}'" for state in sorted(set(states or ())))
    narrowed = "true" if states is None else f"one.state IN ({listed})" if listed else "false"
    further, direction = ("<", "DESC") if backwards else (">", "ASC")
    return f"""
        SELECT {tables.DISPUTES.select("one")}, c.currency FROM contracts c JOIN disputes one ON one.contract_id = c.id
        WHERE c.was_disputed AND {role} AND one.id {further} $3 AND {narrowed}
        AND ($4::text[] IS NULL OR c.id = ANY($4::text[])) ORDER BY one.id {direction} LIMIT $2"""
