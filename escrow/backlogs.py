"""Tells how far behind the sequencer and the payments worker are, each by one statement that counts so far and no further."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from escrow import database, ids
from escrow.access import ActorKind

COUNTED_MAX: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OfLog:
    """How the log stands."""

    position: int
    """The last one that was given."""
    waiting: int
    """Committed events without a position, at most `COUNTED_MAX`."""
    lag_seconds: float
    """How long the oldest of them has waited, by the database's clock."""


async def of_log() -> OfLog:
    row = await database.fetch_row(_LOG, COUNTED_MAX, ActorKind.CLOCK.value)
    assert row is not None  # noqa: S101 - for the type checker: a deployment has its row
    return OfLog(position=row["position"], waiting=row["waiting"], lag_seconds=_lag_seconds(row))


def _lag_seconds(row: database.Record) -> float:
    """Since the oldest occurred, as the database told whoever decided it.

    What a clock brought about occurred when it was due, and a test clock may have been moved on since: there its identifier tells
    when it was made, by the clock of the host that wrote it.
    """
    if row["oldest"] is None:
        return 0.0
    since_occurred: float = row["since_occurred_seconds"]
    if row["is_told"]:
        return max(0.0, since_occurred)
    since_made: float = row["now_seconds"] - ids.made_at_seconds(row["oldest"])
    return max(0.0, min(since_occurred, since_made))


_LOG: Final = """
SELECT (SELECT coalesce(max(position), 0) FROM log_positions) AS position,
    (SELECT count(*) FROM (SELECT FROM log_pending LIMIT $1) AS pending) AS waiting,
    oldest.id AS oldest, extract(epoch FROM clock_timestamp())::float8 AS now_seconds,
    extract(epoch FROM clock_timestamp() + clock_offset - oldest.occurred_at)::float8 AS since_occurred_seconds,
    clock_offset = interval '0' AND oldest.body::json #>> '{actor,kind}' <> $2 AS is_told
FROM deployment LEFT JOIN LATERAL (
    SELECT event.id, event.occurred_at, event.body
    FROM (SELECT stream_id, event_id FROM log_pending ORDER BY serial LIMIT 1) AS pending CROSS JOIN LATERAL (
        SELECT id, occurred_at, body FROM events
        WHERE events.stream_id = pending.stream_id AND events.id = pending.event_id OFFSET 0) AS event
) AS oldest ON true
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfOrders:
    """How the orders to the payment provider stand."""

    open: Mapping[str, int]
    """Those that it has not settled, by kind, all together at most `COUNTED_MAX`."""
    due: int
    """Those that somebody should look at now."""
    oldest_due_seconds: float
    """How long the oldest of them has been due."""


async def of_orders() -> OfOrders:
    row = await database.fetch_row(_ORDERS, COUNTED_MAX)
    assert row is not None  # noqa: S101 - for the type checker: it selects from nothing
    kinds = dict.fromkeys(("DEPOSIT", "REFUND", "PAYOUT"), 0) | dict(row["open"] or ())
    return OfOrders(open=kinds, due=row["due"], oldest_due_seconds=row["oldest_due_seconds"])


_ORDERS: Final = """
SELECT ARRAY(SELECT ROW(kind, count(*)) FROM (SELECT kind FROM payment_orders WHERE state = 'STARTED' LIMIT $1) AS unsettled
        GROUP BY kind) AS open,
    (SELECT count(*) FROM (SELECT FROM payment_orders WHERE due_at <= now() LIMIT $1) AS waiting) AS due,
    coalesce((SELECT extract(epoch FROM now() - min(due_at)) FROM payment_orders WHERE due_at <= now()), 0)::float8
        AS oldest_due_seconds
"""
