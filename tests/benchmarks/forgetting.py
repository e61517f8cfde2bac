"""What it costs to forget old deliveries: row by row, as `retention.prune` does, and as a whole partition by position.

Counted are bytes of the write-ahead log and the server process' own seconds of processor time; neither depends much on what
else the machine does.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import asyncpg

from tests.benchmarks.options import Options
from tests.benchmarks.tables import Table
from tests.engines import TestServer
from webhooks.delivery import retention

KEPT: Final = timedelta(days=90)

_FILL: Final = """
INSERT INTO {deliveries} (id, endpoint_id, lane, position, event_id, event_type, stream_id, state, created_at, finished_at)
SELECT 'dlv_' || lpad(n::text, 26, '0'), 'whe_' || n % 7, 'ctr_' || n % 20000, n, 'evt_' || lpad(n::text, 26, '0'),
       'milestone.released', 'ctr_' || n % 20000, 'DELIVERED', now() - interval '100 days', now() - interval '100 days'
FROM generate_series(1, $1::bigint) AS n
"""

_TRY: Final = """
INSERT INTO {attempts} (id, delivery_id, token, started_at, status, address, dns_ms, connect_ms, first_byte_ms, total_ms)
SELECT 'att_' || lpad(n::text, 26, '0'), 'dlv_' || lpad(n::text, 26, '0'), gen_random_uuid(), now() - interval '100 days',
       200, '203.0.113.7', 1, 12, 40, 41 FROM generate_series(1, $1::bigint) AS n
"""

_PARTED: Final = """
CREATE TABLE parted (LIKE deliveries INCLUDING ALL EXCLUDING INDEXES) PARTITION BY RANGE (position);
ALTER TABLE parted ADD PRIMARY KEY (id, position), ADD UNIQUE (endpoint_id, lane, position);
CREATE INDEX ON parted (endpoint_id, id);
CREATE INDEX ON parted (event_id);
CREATE TABLE parted_old PARTITION OF parted FOR VALUES FROM (0) TO (1000000000);
CREATE TABLE parted_new PARTITION OF parted FOR VALUES FROM (1000000000) TO (2000000000);
CREATE TABLE parted_attempts (LIKE delivery_attempts INCLUDING ALL EXCLUDING INDEXES) PARTITION BY RANGE (delivery_id);
ALTER TABLE parted_attempts ADD PRIMARY KEY (id, delivery_id), ADD UNIQUE (delivery_id, token);
CREATE TABLE parted_attempts_old PARTITION OF parted_attempts FOR VALUES FROM ('dlv_0') TO ('dlv_1');
"""

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]


async def tables(server: TestServer, _: str, options: Options) -> list[Table]:
    """Both ways, on as many deliveries with one attempt each."""
    url = await server.clone()
    try:
        async with _connected(url) as connection:
            await _filled(connection, options.deliveries, deliveries="deliveries", attempts="delivery_attempts")
            await connection.execute("UPDATE delivery_retention SET kept_from_position = 1000000000")
            rows = [
                await _counted("`DELETE`, in batches", connection, _pruned, options.deliveries),
                await _counted("`VACUUM` after it", connection, _vacuumed, options.deliveries),
            ]
            await connection.execute(_PARTED)
            await _filled(connection, options.deliveries, deliveries="parted", attempts="parted_attempts")
            rows.append(await _counted("`DROP TABLE` of the partitions", connection, _dropped, options.deliveries))
    finally:
        await server.drop(url)
    caption = f"Forgetting {options.deliveries:,} deliveries with an attempt each"
    columns = ["", "bytes of the write-ahead log", "a delivery", "seconds of the server's processor"]
    return [Table("forgetting", caption, columns, rows)]


async def _filled(connection: Connection, count: int, *, deliveries: str, attempts: str) -> None:
    await connection.execute(_FILL.format(deliveries=deliveries), count)
    await connection.execute(_TRY.format(attempts=attempts), count)
    await connection.execute(f"VACUUM ANALYZE {deliveries}")
    await connection.execute(f"VACUUM ANALYZE {attempts}")
    await connection.execute("CHECKPOINT")


async def _pruned(connection: Connection) -> None:
    """What `retention.prune` does, by its statement, on this connection."""
    old = retention.Bounds(1_000_000_000, await connection.fetchval("SELECT now() - $1::interval", KEPT))
    after: str | None = ""
    while after is not None:
        row = await connection.fetchrow(
            retention.PRUNE, after, old.kept_from, old.older_than, retention.BATCH, old.before_id
        )
        after = None if row is None else row["last"]


async def _vacuumed(connection: Connection) -> None:
    await connection.execute("VACUUM (PARALLEL 0) deliveries")
    await connection.execute("VACUUM (PARALLEL 0) delivery_attempts")


async def _dropped(connection: Connection) -> None:
    await connection.execute("DROP TABLE parted_old; DROP TABLE parted_attempts_old")


async def _counted(
    what: str, connection: Connection, work: Callable[[Connection], Awaitable[None]], count: int
) -> list[str]:
    """A row of the table."""
    process = await connection.fetchval("SELECT pg_backend_pid()")
    place, seconds = await _place(connection), _seconds(process)
    await work(connection)
    written = await _place(connection) - place
    return [what, f"{written:,}", f"{written / count:,.1f}", f"{_seconds(process) - seconds:,.2f}"]


async def _place(connection: Connection) -> int:
    place: int = await connection.fetchval("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint")
    return place


def _seconds(process: int) -> float:
    """The processor time that a process has used, by Linux."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(url, timeout=600)
    try:
        yield connection
    finally:
        await connection.close()
