"""What the narrow unique keys cost that stand beside the wider ones (`escrow.placement`), and which of them a command asks.

The same lives of contracts are played with both keys and without the narrow ones. What is counted doesn't depend on what else the
machine does: bytes and records of PostgreSQL's write-ahead log, bytes of indexes, and how often an index was searched.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from escrow import database
from escrow.placement import PLACES
from escrow.store import whereabouts
from tests.benchmarks.options import Options
from tests.benchmarks.shards import COMMANDS, DEALS, lives
from tests.benchmarks.tables import Table
from tests.engines import TestServer
from tests.factories import Deployment

NARROW: Final = tuple((table, name) for table, place in PLACES.items() for name in place.narrow)

_WRITTEN: Final = "SELECT wal_bytes::bigint AS bytes, wal_records::bigint AS records FROM pg_stat_wal"

_INDEXES: Final = """
SELECT sum(pg_relation_size(indexrelid))::bigint FROM pg_stat_user_indexes WHERE relname = ANY ($1)
"""

_ASKED: Final = "SELECT indexrelname AS name, idx_scan AS scans FROM pg_stat_user_indexes WHERE indexrelname = ANY ($1)"

_IS_CONSTRAINT: Final = "SELECT EXISTS (SELECT FROM pg_constraint WHERE conname = $1 AND conrelid = $2::text::regclass)"


async def tables(server: TestServer, _: str, __: Options) -> list[Table]:
    """Both deployments, one after the other."""
    both, asked = await _played(server, without_narrow=False)
    wide, _none = await _played(server, without_narrow=True)
    rows = [
        [what, f"{both[key]:,.0f}", f"{wide[key]:,.0f}", f"{both[key] / wide[key]:.2f}"]
        for what, key in (
            ("bytes of the write-ahead log, a command", "bytes"),
            ("records of the write-ahead log, a command", "records"),
            ("bytes of all indexes of contracts' tables, a contract", "indexes"),
        )
    ]
    caption = (
        f"{DEALS} contracts, {COMMANDS} commands each: with and without the {len(NARROW)} narrow keys. "
        f"{len([one for one in asked.values() if one])} of them were searched: "
        + ", ".join(f"`{name}` {scans:,}" for name, scans in sorted(asked.items()) if scans)
    )
    return [Table("keys", caption, ["", "both keys", "the wider alone", "ratio"], rows)]


async def _played(server: TestServer, *, without_narrow: bool) -> tuple[dict[str, float], Mapping[str, int]]:
    """What was written, and which narrow keys were searched."""
    url = await server.clone()
    try:
        async with _connected(url):
            if without_narrow:
                await _drop_narrow()
            there = await Deployment.make()
            proposals = [there.proposal("250.00", "500.00") for _ in range(DEALS)]
            await database.execute("CHECKPOINT")
            before = await _written()
        async with _connected(url):
            whereabouts.forget()
            await lives(there, proposals)
        async with _connected(url):  # by then those of before have told what they did
            after = await _written()
            size: int = await database.fetch_value(_INDEXES, sorted({table for table, _ in NARROW}))
            asked = await database.fetch(_ASKED, [name for _, name in NARROW])
    finally:
        await server.drop(url)
    count = DEALS * COMMANDS
    found = {what: (after[what] - before[what]) / count for what in ("bytes", "records")} | {"indexes": size / DEALS}
    return found, {row["name"]: row["scans"] for row in asked}


async def _written() -> Mapping[str, int]:
    await database.execute("SELECT pg_stat_force_next_flush()")
    (row,) = await database.fetch(_WRITTEN)
    return dict(row)


async def _drop_narrow() -> None:
    for table, name in NARROW:
        if await database.fetch_value(_IS_CONSTRAINT, name, table):
            await database.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name} CASCADE")
        else:
            await database.execute(f"DROP INDEX {name}")


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[None]:
    await database.connect(url)
    try:
        yield
    finally:
        await database.disconnect()
