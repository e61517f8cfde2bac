"""How late deadlines fire that fall due at the same instant, among a million that don't; by real worker processes.

The million is written past triggers and foreign keys, for contracts that don't exist; the thousand are contracts like any
other, whose review windows are set to the same end. A column that only this benchmark adds says when an event was written.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from escrow import clock, database
from tests.benchmarks.options import Options
from tests.benchmarks.tables import Table
from tests.engines import TestServer
from tests.factories import Deployment
from tests.workers.process import until, worker

WORKERS: Final = (1, 2)
PENDING: Final = 1_000_000
DUE_AT_ONCE: Final = 1_000
AT_ONCE: Final = 16
LEAD_SECONDS: Final = 5.0
"""Between the last preparation and the instant at which everything falls due."""


@dataclass(frozen=True, slots=True)
class Lateness:
    """From due to written, in seconds, and how many were fired a second from the first instant to the last write."""

    workers: int
    p50_seconds: float
    p99_seconds: float
    worst_seconds: float
    per_second: float


async def tables(server: TestServer, redis_url: str, _: Options) -> list[Table]:
    """One line for each number of workers."""
    found = [await measure(server, redis_url, workers) for workers in WORKERS]
    rows = [
        [
            f"{one.workers}",
            *(f"{1000 * late:,.0f}" for late in (one.p50_seconds, one.p99_seconds, one.worst_seconds)),
            f"{one.per_second:,.0f}",
        ]
        for one in found
    ]
    caption = f"Deadlines, {DUE_AT_ONCE:,} due at once among {PENDING:,} pending"
    return [Table("deadlines", caption, ["workers", "p50 ms", "p99 ms", "worst ms", "fired/s"], rows)]


async def measure(server: TestServer, redis_url: str, workers: int) -> Lateness:
    """One round on a database of its own."""
    url = await server.clone()
    async with _connected(url):
        there = await Deployment.make()
        places = asyncio.Semaphore(AT_ONCE)

        async def submitted() -> None:
            async with places:
                deal = await there.fund("250.00", "500.00")
                await deal.submit()

        await asyncio.gather(*(submitted() for _ in range(DUE_AT_ONCE)))
        await _fill()
        async with _working(url, redis_url, workers):
            await _fall_due()
            await until(_all_fired)
        row = await database.fetch_row(_LATENESS, DUE_AT_ONCE)
    await server.drop(url)
    assert row is not None
    return Lateness(workers, *row)


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[None]:
    await database.connect(url)
    try:
        yield
    finally:
        await database.disconnect()


@asynccontextmanager
async def _working(url: str, redis_url: str, workers: int) -> AsyncIterator[None]:
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:
            for number in range(workers):
                process = await stack.enter_async_context(worker(url, redis_url, Path(folder) / f"{number}.log"))
                await process.says("worker works")
            yield


async def _fill() -> None:
    async with database.transaction() as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(_PENDING, PENDING)
    await database.execute("ALTER TABLE events ADD COLUMN written_at TIMESTAMPTZ DEFAULT clock_timestamp()")
    await database.execute("VACUUM ANALYZE")


async def _all_fired() -> bool:
    released: int = await database.fetch_value("SELECT count(*) FROM milestones WHERE state = 'RELEASED'")
    return released == DUE_AT_ONCE


async def _fall_due() -> None:
    """Let every review end at the same instant, a little later, with nothing left to announce."""
    async with database.transaction() as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute("DELETE FROM deadlines WHERE kind = 'REMINDER'")
        due_at = await connection.fetchval(f"SELECT {clock.NOW_SQL} + $1 * interval '1 second'", LEAD_SECONDS)
        await connection.execute(
            "UPDATE milestones SET review_due_at = $1, reminded_hours = 12 WHERE state = 'SUBMITTED'", due_at
        )
        await connection.execute(
            "UPDATE deadlines SET due_at = $1 WHERE contract_id IN (SELECT id FROM contracts)", due_at
        )


_PENDING: Final = """
INSERT INTO deadlines (contract_id, kind, subject_id, due_at)
SELECT 'ctr_pending' || n, 'REVIEW', 'mil_pending' || n, now() + interval '15 days' + n * interval '2 seconds'
FROM generate_series(1, $1::int) AS n
"""
_LATENESS: Final = """
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY late), percentile_cont(0.99) WITHIN GROUP (ORDER BY late), max(late),
    $1::int / max(late)
FROM (
    SELECT extract(epoch FROM written_at - (occurred_at - clock_offset))::float8 AS late
    FROM events, deployment WHERE type = 'milestone.released'
) AS fired
"""
