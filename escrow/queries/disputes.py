"""What the parties of contracts disagree about and agree on, as an actor may see it: by identifier, and page by page."""

# ruff: noqa: S608 - only our own tables and columns are filled into statements

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, Literal, TypeVar

from escrow import database, ids
from escrow.access import Actor
from escrow.agreement.state import ChangeRequest, Dispute, Evidence, RefundRequest, Update
from escrow.database import Record
from escrow.ids import Kind
from escrow.queries.visibility import SEEN_BY, roles, sees
from escrow.rules import DisputeState
from escrow.store.objects import (
    CHANGE_REQUEST,
    DISPUTE,
    EVIDENCE,
    REFUND_REQUEST,
    UPDATE,
    change_request_of,
    dispute_of,
    evidence_of,
    refund_of,
    update_of,
)
from escrow.store.rows import columns

T = TypeVar("T")

Parent = Literal["contract_id", "milestone_id"]
"""By what a page is asked for."""


@dataclass(frozen=True, slots=True)
class View(Generic[T]):
    """An object as the domain has it, and of its contract what its answer needs."""

    whole: T
    contract_id: str
    currency: str


@dataclass(frozen=True, slots=True)
class _Source(Generic[T]):
    """Where the objects of one kind are read from."""

    kind: Kind
    table: str
    columns: tuple[str, ...]
    read: Callable[[tuple[Any, ...]], T]

    def view(self, row: Record) -> View[T]:
        return View(self.read(tuple(row[name] for name in self.columns)), row["contract_id"], row["currency"])


_REFUNDS: Final = _Source(Kind.REFUND_REQUEST, "refund_requests", REFUND_REQUEST, refund_of)
_DISPUTES: Final = _Source(Kind.DISPUTE, "disputes", DISPUTE, dispute_of)
_CHANGES: Final = _Source(Kind.CHANGE_REQUEST, "change_requests", CHANGE_REQUEST, change_request_of)


async def refunds_by_id(actor: Actor, identifiers: Collection[str]) -> dict[str, View[RefundRequest]]:
    """Those of the refund requests that exist and that the actor may see, by identifier; one statement."""
    return await _by_id(_REFUNDS, actor, identifiers)


async def disputes_by_id(actor: Actor, identifiers: Collection[str]) -> dict[str, View[Dispute]]:
    """Those of the disputes that exist and that the actor may see, by identifier; one statement."""
    return await _by_id(_DISPUTES, actor, identifiers)


async def change_requests_by_id(actor: Actor, identifiers: Collection[str]) -> dict[str, View[ChangeRequest]]:
    """Those of the change requests that exist and that the actor may see, by identifier; one statement."""
    return await _by_id(_CHANGES, actor, identifiers)


async def refunds_pages(
    parents: Collection[str], parent: Parent, *, limit: int, after: str | None
) -> dict[str, list[View[RefundRequest]]]:
    """For each contract or milestone at most `limit` refund requests, oldest first, those after the id `after`."""
    return await _pages(_REFUNDS, parents, parent, limit, after)


async def disputes_pages(
    parents: Collection[str], parent: Parent, *, limit: int, after: str | None
) -> dict[str, list[View[Dispute]]]:
    """For each contract or milestone at most `limit` disputes, oldest first, those after the id `after`."""
    return await _pages(_DISPUTES, parents, parent, limit, after)


async def change_requests_pages(
    parents: Collection[str], parent: Parent, *, limit: int, after: str | None
) -> dict[str, list[View[ChangeRequest]]]:
    """For each contract at most `limit` change requests, oldest first, those after the id `after`; one statement."""
    return await _pages(_CHANGES, parents, parent, limit, after)


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
    return [_DISPUTES.view(row) for row in rows]


def _dispute_scan(role: str, states: Collection[DisputeState] | None) -> str:
    # Written out, so that the few disputes in mediation are found by an index of their own.
    listed = ", ".join(f"'{state.value}'" for state in sorted(set(states or ())))
    narrowed = "true" if states is None else f"one.state IN ({listed})" if listed else "false"
    return f"""
        SELECT {columns(DISPUTE, of="one")}, c.currency FROM contracts c JOIN disputes one ON one.contract_id = c.id
        WHERE c.was_disputed AND {role} AND one.id > $3 AND {narrowed}
        AND ($4::text[] IS NULL OR c.id = ANY($4::text[])) ORDER BY one.id LIMIT $2"""


async def _by_id(source: _Source[T], actor: Actor, identifiers: Collection[str]) -> dict[str, View[T]]:
    wanted = [identifier for identifier in set(identifiers) if ids.is_a(source.kind, identifier)]
    if not wanted:
        return {}
    rows = await database.fetch(
        f"""
        SELECT {columns(source.columns, of="one")}, c.currency, {SEEN_BY}
        FROM {source.table} one JOIN contracts c ON c.id = one.contract_id WHERE one.id = ANY($1::text[])
        """,
        wanted,
    )
    return {row["id"]: source.view(row) for row in rows if sees(actor, row, contract_id=row["contract_id"])}


async def _pages(
    source: _Source[T], parents: Collection[str], parent: Parent, limit: int, after: str | None
) -> dict[str, list[View[T]]]:
    rows = await database.fetch(
        f"""
        SELECT found.*, c.currency FROM unnest($1::text[]) asked (id) CROSS JOIN LATERAL (
            SELECT {columns(source.columns, of="one")} FROM {source.table} one
            WHERE one.{parent} = asked.id AND one.id > $3 ORDER BY one.id LIMIT $2
        ) found JOIN contracts c ON c.id = found.contract_id ORDER BY found.id
        """,
        sorted(set(parents)),
        limit,
        after or "",
    )
    found: dict[str, list[View[T]]] = {}
    for row in rows:
        found.setdefault(row[parent], []).append(source.view(row))
    return found


async def evidence_pages(
    dispute_ids: Collection[str], *, limit: int, after: tuple[datetime, str, int] | None
) -> dict[str, list[Evidence]]:
    """For each dispute at most `limit` pieces of evidence as they were added, those after a time, side and number."""
    rows = await database.fetch(
        f"""
        SELECT found.* FROM unnest($1::text[]) asked (id) CROSS JOIN LATERAL (
            SELECT {columns(EVIDENCE, of="one")} FROM evidence one
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
        found.setdefault(row["dispute_id"], []).append(evidence_of(tuple(row)))
    return found


async def updates_pages(
    parents: Collection[str], parent: Parent, *, limit: int, after: int | None
) -> dict[str, list[Update]]:
    """For each contract or milestone at most `limit` progress updates in order, those after the number `after`."""
    rows = await database.fetch(
        f"""
        SELECT found.* FROM unnest($1::text[]) asked (id) CROSS JOIN LATERAL (
            SELECT {columns(UPDATE, of="one")} FROM updates one
            WHERE one.{parent} = asked.id AND one.number > $3 ORDER BY one.number LIMIT $2
        ) found ORDER BY found.number
        """,
        sorted(set(parents)),
        limit,
        after or 0,
    )
    found: dict[str, list[Update]] = {}
    for row in rows:
        found.setdefault(row[parent], []).append(update_of(tuple(row)))
    return found


async def update_by_number(contract_id: str, number: int) -> Update | None:
    """One update of a contract that the actor was shown before."""
    row = await database.fetch_row(
        f"SELECT {columns(UPDATE, of='one')} FROM updates one WHERE one.contract_id = $1 AND one.number = $2",
        contract_id,
        number,
    )
    return update_of(tuple(row)) if row is not None else None
