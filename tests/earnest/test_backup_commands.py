"""A PostgreSQL of the operator's own is followed, dies and comes back elsewhere, and Earnest is told: by the page's commands."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGINT, SIGQUIT

import asyncpg

from earnest.backups import follower, restoring, taking
from earnest.backups.taking import SLOT, WAL
from earnest.doctor import database_server
from earnest.doctor.findings import Finding
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
            await until(lambda: asked(server.url, "SELECT NOT pg_is_in_recovery()"), "it takes writes")
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
            settings = (data / "postgresql.auto.conf").read_text()
            assert not any(name in settings for name in restoring.RECOVERY_SETTINGS), "copies would recover, too"
            assert not (data / "postgresql.auto.conf.restored").exists()
            cuts = "SELECT count(*) FROM log_cuts"
            told = await said("restore", "--finish")
            assert ("the log was cut at" in told, await asked(second.url, cuts)) == (True, 2), told
            told = await said("restore", "--finish")
            assert ("doesn't say that it was restored" in told, await asked(second.url, cuts)) == (True, 2), told
            told = await said("restore", "--finish", "--declare")
            assert ("the log was cut at" in told, await asked(second.url, cuts)) == (True, 3), told


async def received(url: str) -> None:
    """Wait until whoever follows has everything that is written by now."""
    written = await asked(url, "SELECT pg_current_wal_flush_lsn()::text")
    has_it = f"SELECT bool_and(flush_lsn >= '{written}'::pg_lsn) FROM pg_stat_replication"
    await until(lambda: asked(url, has_it), "the last commit was followed")


async def test_whoever_follows_goes_on_after_a_restore_and_without_its_slot_and_never_lives_on(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    backups, data = tmp_path / "backups", tmp_path / "second" / "postgres"
    data.parent.mkdir(mode=0o711)
    async with Engines(tmp_path / "first") as first:
        environ = clean_environment() | MINIMAL | {"EARNEST_BACKUPS": str(backups), "REDIS_URL": first.redis_url}
        environ["DATABASE_URL"] = first.database_url
        async with followed(tmp_path, environ, first.database_url):
            taking.take(first.database_url, backups).path.rename(backups / "base-20260101T000000Z")
            moment = await asked(first.database_url, "SELECT clock_timestamp()::text")
            for row in (1, 2):
                await asked(first.database_url, f"CREATE TABLE undone_{row} AS SELECT 1 AS row")
                await asked(first.database_url, "SELECT pg_switch_wal()")
            await received(first.database_url)
    last = max(path.name for path in (backups / WAL).glob("*[0-9A-F]"))

    words = ("restore", "--from", str(backups), "--to", str(moment), "--into", str(data))
    code, said, remarked = await commanded(*words, folder=tmp_path, environ=environ)
    assert (code, "ready" in said) == (0, True), remarked
    async with started_on(data) as second:
        assert await asked(second.url, "SELECT to_regclass('undone_1') IS NULL")
        environ["DATABASE_URL"] = second.url
        async with followed(tmp_path, environ, second.url) as process:
            await asked(second.url, "CREATE TABLE kept AS SELECT 1 AS row")
            await received(second.url)
            assert (backups / WAL / "00000002.history").read_text().startswith("1\t0/")
            assert list((backups / WAL).glob("00000002*.partial")), "what is written now"
            assert last in [path.name for path in (backups / follower.UNDONE).iterdir()]
            assert "moved to" in (tmp_path / "following.log").read_text()

            async def has_no_slot() -> bool:
                await asked(second.url, "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_replication")
                dropped = (
                    f"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '{SLOT}'"
                )
                try:
                    await asked(second.url, dropped)
                except asyncpg.ObjectInUseError:
                    return False
                return True

            await until(has_no_slot, "its slot is gone")
            reads = f"SELECT active FROM pg_replication_slots WHERE slot_name = '{SLOT}'"
            await until(lambda: asked(second.url, reads), "it is followed again")
            assert [one.what for one in await _unkept(second.url)] == []

            process.kill()
            await until(lambda: asked(second.url, f"SELECT NOT active FROM ({reads})"), "nobody reads the slot")
            assert len(await _unkept(second.url)) == 1


async def _unkept(url: str) -> list[Finding]:
    """What the doctor says if nobody keeps what the server writes."""
    found = await database_server.look(url, pool_size=5, keeps_backups=True)
    return [one for one in found if "nobody keeps" in one.what]
