"""Tells how far behind the sequencer and the payments worker are, each by one statement that counts so far and no further."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from escrow import database, ids

COUNTED_MAX: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OfLog:
    """How the log stands."""

    position: int
    """The last one that was given."""
    waiting: int
    """Committed events without a position, at most `COUNTED_MAX`."""
    lag_seconds: float
    """How long the oldest of them has waited."""


async def of_log() -> OfLog:
    row = await database.fetch_row(_LOG, COUNTED_MAX)
    assert row is not None  # noqa: S101 - for the type checker: it selects from nothing
    oldest = row["oldest"]
    lag = max(0.0, time.time() - ids.made_at_seconds(oldest)) if oldest is not None else 0.0
    return OfLog(position=row["position"], waiting=row["waiting"], lag_seconds=lag)


_LOG: Final = """
SELECT (SELECT coalesce(max(position), 0) FROM log_positions) AS position,
    (SELECT count(*) FROM (SELECT FROM log_pending LIMIT $1) AS pending) AS waiting,
    (SELECT event_id FROM log_pending ORDER BY serial LIMIT 1) AS oldest
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
