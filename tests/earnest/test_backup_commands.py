"""A PostgreSQL of the operator's own is followed, dies and comes back elsewhere, and Earnest is told: by the page's commands."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGINT, SIGQUIT

from earnest.backups import in_place
from earnest.backups.taking import SLOT, WAL
from earnest.engines import Engines
from earnest.engines.postgres import EmbeddedPostgres
from earnest.engines.processes import Record
from escrow.migrate import migrate
from tests.earnest.commanding import begin, commanded
from tests.earnest.restored import documented, until
from tests.earnest.running import clean_environment
from tests.earnest.standing_by import asked
from tests.escrow.test_settings import MINIMAL
from tests.workers.forking import Forked


@asynccontextmanager
async def started_on(data: Path) -> AsyncIterator[EmbeddedPostgres]:
    """The operator's server on what was made for it, once it takes writes."""
    with tempfile.TemporaryDirectory(prefix="earnest-", dir="/tmp") as sockets:
        record = Record(data.parent / "processes.json")
        server = EmbeddedPostgres(data=data, sockets=Path(sockets), log=data.parent / "log", record=record)
        try:
            await server.start()
            assert server.process is not None
            await in_place.recovered(server.url, server.process)
            yield server
        finally:
            await server.stop()


@asynccontextmanager
async def followed(folder: Path, environ: dict[str, str], url: str) -> AsyncIterator[Forked]:
    """`earnest backup --follow` beside everything else, once it reads."""
    log = folder / "following.log"
    process = begin("backup", "--follow", folder=folder, environ=environ, log=log)

    async def reads() -> object:
        assert process.returncode is None, log.read_text()
        return await asked(url, f"SELECT active FROM pg_replication_slots WHERE slot_name = '{SLOT}'")

    try:
        await until(reads, "the log is followed")
        yield process
    finally:
        process.send_signal(SIGINT)
        await process.wait()


async def test_a_server_that_was_followed_loses_nothing_and_the_cut_is_noted_once_or_because_it_is_declared(
    tmp_path: Path,
) -> None:
    tmp_path.chmod(0o711)
    backups, data = tmp_path / "backups", tmp_path / "second" / "postgres"
    data.parent.mkdir(mode=0o711)
    async with Engines(tmp_path / "first") as first:
        servers = {"DATABASE_URL": first.database_url, "REDIS_URL": first.redis_url, "EARNEST_BACKUPS": str(backups)}
        environ = clean_environment() | MINIMAL | servers

        async def said(*words: str, code: int = 0) -> str:
            ended, said, remarked = await commanded(*words, folder=tmp_path, environ=environ)
            told = remarked + said
            assert ended == code, told
            return told

        await migrate(first.database_url)
        async with followed(tmp_path, environ, first.database_url):
            assert "whole, and checked" in await said(*documented("earnest backup --keep")[1:])
            await asked(first.database_url, "CREATE TABLE kept AS SELECT 1 AS row")
            written = await asked(first.database_url, "SELECT pg_current_wal_flush_lsn()::text")
            received = f"SELECT flush_lsn >= '{written}'::pg_lsn FROM pg_stat_replication"
            await until(lambda: asked(first.database_url, received), "the last commit was followed")
            first.processes()["PostgreSQL"].send_signal(SIGQUIT)
            await first.processes()["PostgreSQL"].wait()
        assert list((backups / WAL).glob("*.partial")), "what wasn't handed on as a whole"

        assert "ready" in await said("restore", "--from", str(backups), "--into", str(data))
        assert "isn't empty" in await said("restore", "--into", str(data), code=2)
        async with started_on(data) as second:
            environ["DATABASE_URL"] = second.url
            assert await asked(second.url, "SELECT row FROM kept") == 1
            cuts = "SELECT count(*) FROM log_cuts"
            told = await said("restore", "--finish")
            assert ("the log was cut at" in told, await asked(second.url, cuts)) == (True, 2), told
            told = await said("restore", "--finish")
            assert ("doesn't say that it was restored" in told, await asked(second.url, cuts)) == (True, 2), told
            told = await said("restore", "--finish", "--declare")
            assert ("the log was cut at" in told, await asked(second.url, cuts)) == (True, 3), told
