"""Reads disputes as an actor may see them, one by one or of all contracts, and the evidence in each."""

# ruff: noqa: S608 - only our own tables and columns are filled into statements

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from escrow import database
from escrow.access import Actor
from escrow.agreement.state import Dispute, Evidence
from escrow.ids import Kind
from escrow.queries.views import View, view, viewed
from escrow.queries.visibility import roles
from escrow.states import DisputeState
from escrow.store import tables
from escrow.store.tables import EVIDENCE

DISPUTES: Final = viewed(tables.DISPUTES, Kind.DISPUTE)


async def disputes_page(
    actor: Actor, *, states: Collection[DisputeState] | None, limit: int, after: str | None
) -> list[View[Dispute]]:
    """At most `limit` disputes of all contracts that the actor may see, oldest first, those after the id `after`."""
    scans = " UNION ALL ".join(f"({_dispute_scan(role, states)})" for role in roles(actor))
    rows = await database.fetch(
        f"SELECT * FROM ({scans}) found ORDER BY id LIMIT $2",
        actor.account_id,
        limit,
        after or "",
        sorted(actor.contract_ids) if actor.contract_ids is not None else None,
    )
    return [view(tables.DISPUTES, row) for row in rows]


def _dispute_scan(role: str, states: Collection[DisputeState] | None) -> str:
    # Written out, so that the few disputes in mediation are found by an index of their own.
    listed = ", ".join(f"'{state.value}'" for state in sorted(set(states or ())))
    narrowed = "true" if states is None else f"one.state IN ({listed})" if listed else "false"
    return f"""
        SELECT {tables.DISPUTES.select("one")}, c.currency FROM contracts c JOIN disputes one ON one.contract_id = c.id
        WHERE c.was_disputed AND {role} AND one.id > $3 AND {narrowed}
        AND ($4::text[] IS NULL OR c.id = ANY($4::text[])) ORDER BY one.id LIMIT $2"""


async def evidence_pages(
    dispute_ids: Collection[str], *, limit: int, after: tuple[datetime, str, int] | None
) -> dict[str, list[Evidence]]:
    """For each dispute at most `limit` pieces of evidence as they were added, those after a time, side and number."""
    rows = await database.fetch(
        f"""
        SELECT found.* FROM unnest($1::text[]) asked (id) CROSS JOIN LATERAL (
            SELECT {EVIDENCE.select("one")} FROM evidence one
            WHERE one.dispute_id = asked.id AND ($3::timestamptz IS NULL OR (one.added_at, one.side, one.number) > ($3, $4, $5))
            ORDER BY one.added_at, one.side, one.number LIMIT $2
        ) found ORDER BY found.added_at, found.side, found.number
        """,
        sorted(set(dispute_ids)),
        limit,
        *(after or (None, "", 0)),
    )
    found: dict[str, list[Evidence]] = {}
    for row in rows:
        found.setdefault(row["dispute_id"], []).append(EVIDENCE.read(row))
    return found
