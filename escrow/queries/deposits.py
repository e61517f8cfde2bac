"""Reads deposits, for those who handle the money of their contract: one by one, and those that were taken back."""

from __future__ import annotations

from typing import Final

from escrow import database
from escrow.access import Actor
from escrow.agreement.state import Deposit
from escrow.ids import Kind
from escrow.queries import counts
from escrow.queries.counts import Counted
from escrow.queries.views import View, viewed
from escrow.queries.visibility import SEEN, viewer
from escrow.store import tables

DEPOSITS: Final = viewed(tables.DEPOSITS, Kind.DEPOSIT, is_money=True)


async def reversed_page(actor: Actor, *, limit: int, after: str | None, backwards: bool = False) -> list[View[Deposit]]:
    """At most `limit` deposits whose reversal is argued about, of all contracts whose money the actor may see, oldest first,
    those after the id `after`.

    `backwards` turns the order round: the newest first, those before the id.
    """
    rows = await database.fetch(*reversed_statement(actor, limit=limit, after=after, backwards=backwards))
    return [DEPOSITS.read(row) for row in rows]


async def reversed_counted(actor: Actor) -> Counted:
    """How many deposits such a list has; one statement."""
    return await counts.counted(*reversed_statement(actor, limit=counts.COUNTED_MAX + 1, after=None, backwards=False))


def reversed_statement(
    actor: Actor, *, limit: int, after: str | None, backwards: bool
) -> tuple[str, *tuple[object, ...]]:
    """The statement of a list of reversed deposits, and its arguments."""
    statement, first = (_REVERSED_BACKWARDS, "~") if backwards else (_REVERSED, "")
    return statement.bind(limit=limit, after=after or first, **viewer(actor, money=True))


def _reading(further: str, direction: str) -> database.Statement:
    # The states are those of the index `deposits_reversed`: what is argued about is found by it first, however many deposits
    # there are, and whatever the planner thinks of their order.
    return database.Statement(f"""
        WITH argued AS MATERIALIZED (SELECT id FROM deposits WHERE reversal IN ('OPEN', 'FORFEITED'))
        SELECT found.* FROM argued CROSS JOIN LATERAL ({DEPOSITS.select} WHERE one.id = argued.id) found
        LEFT JOIN contracts c ON c.id = found.contract_id
        WHERE argued.id {further} :after AND {SEEN} ORDER BY argued.id {direction} LIMIT :limit
        """)  # noqa: S608 - our own columns


_REVERSED: Final = _reading(">", "ASC")
_REVERSED_BACKWARDS: Final = _reading("<", "DESC")
