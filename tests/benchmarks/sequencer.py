"""How many events a second one sequencer puts in order, as a ratio to the least SQL that could do it.

All positions of a deployment are given by one transaction at a time, so this is the most that a deployment can take, however
many servers carry out commands. A round gives the same committed events their places by `log.sequence` without anybody to
deliver to, by the same with an endpoint that gets them all, event by event as on a quiet day, and by a bare statement that
knows nothing of parties, times or webhooks. Afterwards the places of each are dense and hold each event once.
"""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

from escrow import database, log
from tests.benchmarks.options import Options
from tests.benchmarks.peers.filling import fill
from tests.benchmarks.tables import Table
from tests.engines import TestServer
from tests.factories import make_endpoint, party
from webhooks.delivery.fan_out import FanOut

EVENTS: Final = 4
"""Of each contract."""

SINGLES: Final = 500
"""Events that are placed one by one: each has a transaction of its own."""

LEASE_SECONDS: Final = 30.0
LOCK: Final = 1
"""Of the bare statement, whatever the sequencer's is."""

Placing = Callable[[int], Awaitable[int]]
"""Gives at most so many events their places; answers how many it were."""


async def tables(server: TestServer, _: str, options: Options) -> list[Table]:
    """Events a second, and the ratio to the bare statement, as medians of the rounds."""
    found: dict[str, list[tuple[float, float]]] = {}
    count = options.waiting * EVENTS
    async with _filled(server, options.waiting):
        for turn in range(options.rounds + 1):
            for name, (placing, batch) in _WAYS.items():
                figures = await _measured(placing, batch=batch, events=count if batch > 1 else SINGLES)
                if turn:  # the first warms up
                    found.setdefault(name, []).append(figures)
    bare = statistics.median(rate for rate, _ in found[BARE])
    rows = []
    for name, all_figures in found.items():
        rate = statistics.median(one for one, _ in all_figures)
        used = statistics.median(microseconds for _, microseconds in all_figures)
        rows.append([name, f"{rate:,.0f}", f"{rate / bare:.2f}", f"{used:,.0f}"])
    caption = f"Events that one sequencer puts in order, {count:,} waiting, medians of {options.rounds} rounds"
    columns = ["", "events/s", "ratio to the bare statement", "of that in Python, processor µs an event"]
    return [Table("sequencer", caption, columns, rows)]


async def _measured(placing: Placing, *, batch: int, events: int) -> tuple[float, float]:
    """Events a second, and this process' own microseconds for each."""
    await _let_wait()
    used, started = _processor_seconds(), time.perf_counter()
    done = 0
    while done < events and (count := await placing(batch)):
        done += count
    seconds, used = time.perf_counter() - started, _processor_seconds() - used
    await _check(done)
    return done / seconds, 1e6 * used / done


def _processor_seconds() -> float:
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return spent.ru_utime + spent.ru_stime


@asynccontextmanager
async def _filled(server: TestServer, contracts: int) -> AsyncIterator[None]:
    url = await server.clone()
    await database.connect(url)
    try:
        there = await fill(contracts, events=EVENTS, is_searched=False)
        await make_endpoint(party(there.client.account_id), "https://example.com/hook")
        while await _deliveries().place():
            pass
        yield
    finally:
        await database.disconnect()
        await server.drop(url)


async def _let_wait() -> None:
    """All events of contracts wait for their places again, in the order of their making, and nothing was delivered."""
    async with database.transaction() as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute("TRUNCATE log_pending, deliveries, lanes")
        await connection.execute("DELETE FROM log_positions WHERE stream_id LIKE 'ctr%'")
        await connection.execute(_WAIT)
    await database.execute("VACUUM ANALYZE log_pending, log_positions")
    await database.execute("CHECKPOINT")


# Whichever columns of its event a waiting one has beside the identifier.
_WAIT: Final = """
INSERT INTO log_pending OVERRIDING SYSTEM VALUE
SELECT waiting.* FROM (
    SELECT row_number() OVER (ORDER BY id) AS serial, id AS event_id, stream_id FROM events WHERE stream_id LIKE 'ctr%'
) AS event CROSS JOIN LATERAL jsonb_populate_record(NULL::log_pending, to_jsonb(event)) AS waiting ORDER BY serial
"""


async def _check(done: int) -> None:
    row = await database.fetch_row(
        "SELECT count(DISTINCT event_id) AS events, max(position) - min(position) + 1 AS places FROM log_positions "
        "WHERE stream_id LIKE 'ctr%'"
    )
    if row is None or (row["events"], row["places"]) != (done, done):
        raise RuntimeError(f"{done} events were placed, and the log says {row}")


def _deliveries() -> FanOut:
    """What a worker does with a batch whose slots are all taken: deliveries are made, and nobody sends them."""
    return FanOut(lease_seconds=LEASE_SECONDS)


async def _alone(limit: int) -> int:
    return await log.sequence(limit=limit)


async def _with_deliveries(limit: int) -> int:
    return await _deliveries().place(limit=limit)


async def _bare(limit: int) -> int:
    async with database.transaction() as connection:
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        rows = await connection.fetch(_BARE, limit)
    return len(rows)


_BARE: Final = """
WITH taken AS (
    DELETE FROM log_pending WHERE serial = ANY (ARRAY(SELECT serial FROM log_pending ORDER BY serial LIMIT $1))
    RETURNING serial, event_id, stream_id
)
INSERT INTO log_positions (position, event_id, stream_id, placed_at)
SELECT (SELECT coalesce(max(position), 0) FROM log_positions) + row_number() OVER (ORDER BY serial), event_id, stream_id, now()
FROM taken RETURNING position
"""

BARE: Final = "the bare statement, 500 at a time"

_WAYS: Final[Mapping[str, tuple[Placing, int]]] = {
    BARE: (_bare, log.BATCH_EVENTS),
    "Earnest, 500 at a time": (_alone, log.BATCH_EVENTS),
    "with one delivery each": (_with_deliveries, log.BATCH_EVENTS),
    "Earnest, one at a time": (_alone, 1),
}
