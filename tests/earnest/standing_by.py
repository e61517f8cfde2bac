"""A PostgreSQL server that follows another one, as a deployment's standby does."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from earnest.backups import programs
from earnest.engines import Engines
from earnest.engines.postgres import EmbeddedPostgres
from earnest.engines.processes import Record
from tests.earnest.restored import until


@asynccontextmanager
async def standby_of(first: Engines, folder: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A server that follows the first one, as `pg_basebackup --write-recovery-conf` makes it."""
    data = folder / "postgres"
    url = programs.for_libpq(first.database_url)
    copying = ("--dbname", url, "--pgdata", str(data), "--write-recovery-conf", "--checkpoint=fast")
    await asyncio.to_thread(programs.run, "pg_basebackup", *copying)
    with tempfile.TemporaryDirectory(prefix="earnest-", dir="/tmp") as sockets:
        second = EmbeddedPostgres(
            data=data, sockets=Path(sockets), log=folder / "log", record=Record(folder / "processes.json")
        )
        try:
            await second.start()
            yield second
        finally:
            await second.stop()


async def asked(url: str, sql: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def follows(first: Engines, second: EmbeddedPostgres) -> None:
    """Wait until the second has all that the first has."""
    written = await asked(first.database_url, "SELECT pg_current_wal_lsn()::text")

    async def has_it() -> object:
        return await asked(second.url, f"SELECT pg_last_wal_replay_lsn() >= '{written}'::pg_lsn")

    await until(has_it, "the standby has followed")
