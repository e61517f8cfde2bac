"""A PostgreSQL of the operator's own is followed, dies and comes back elsewhere, and Earnest is told: by the page's commands."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT, SIGQUIT
from typing import Final

import asyncpg
import pytest

from earnest.backups import follower, restoring, taking
from earnest.backups.taking import SLOT, WAL
from earnest.doctor import database_server
from earnest.doctor.findings import Finding
from earnest.engines import Engines
from earnest.engines.postgres import EmbeddedPostgres
from earnest.engines.processes import Record
from earnest.run.refusing import CannotStart
from escrow import database, log
from escrow.audit import audit
from escrow.migrate import migrate
from tests.earnest.commanding import begin, commanded
from tests.earnest.restored import connected_to, documented, until
from tests.earnest.running import clean_environment
from tests.earnest.standing_by import asked, standby_of
from tests.escrow.test_settings import MINIMAL
from tests.factories import Deployment
from tests.patience import PATIENCE_SECONDS
from tests.workers.forking import Forked

READS: Final = f"SELECT active FROM pg_replication_slots WHERE slot_name = '{SLOT}'"
"""Whether the server is followed."""


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
        return await asked(url, READS)

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
            await until(lambda: asked(second.url, READS), "it is followed again")
            assert [one.what for one in await _unkept(second.url)] == []

            process.kill()
            await until(lambda: asked(second.url, f"SELECT NOT active FROM ({READS})"), "nobody reads the slot")
            assert len(await _unkept(second.url)) == 1


async def test_a_standby_that_is_promoted_is_followed_on_and_all_that_was_answered_comes_back(tmp_path: Path) -> None:
    """Under load, by one and the same process: `DATABASE_URL` has a name in it that is moved."""
    tmp_path.chmod(0o711)
    backups, data = tmp_path / "backups", tmp_path / "third" / "postgres"
    for folder in (data.parent, tmp_path / "second"):
        folder.mkdir(mode=0o711)
    async with (
        Engines(tmp_path / "first") as first,
        standby_of(first, tmp_path / "second") as second,
        a_name_for(first.database_url) as name,
    ):
        await migrate(first.database_url)
        await _waits_for(first.database_url, "walreceiver")
        is_waited_for = "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync')"
        await until(lambda: asked(first.database_url, is_waited_for), "the standby is waited for")
        environ = clean_environment() | MINIMAL | {"EARNEST_BACKUPS": str(backups), "REDIS_URL": first.redis_url}
        environ["DATABASE_URL"] = name.url
        async with followed(tmp_path, environ, first.database_url) as process, connected_to(name.url):
            taking.take(name.url, backups)
            deployment, answered, stop = await Deployment._made(0, 0), list[str](), asyncio.Event()
            load = asyncio.create_task(_answered(deployment, answered, stop))
            await _more(answered, load)
            first.processes()["PostgreSQL"].send_signal(SIGQUIT)
            await first.processes()["PostgreSQL"].wait()
            by_the_first = len(answered)
            assert await asked(second.url, f"SELECT pg_promote(true, {round(PATIENCE_SECONDS)})")
            name.lead_to(second.url)
            await until(lambda: asked(second.url, READS), "the second is followed")
            await _more(answered, load)
            stop.set()
            await load
            assert 0 < by_the_first < len(answered)
            await received(second.url)
            assert process.returncode is None
            await second.stop()

        code, said, remarked = await commanded(
            "restore", "--from", str(backups), "--into", str(data), folder=tmp_path, environ=environ
        )
        assert (code, "ready" in said) == (0, True), remarked
        async with started_on(data) as third, connected_to(third.url):
            await _waits_for(third.url, "")  # it was copied from one that waited, and nobody follows it
            sql = "SELECT count(*) FROM contracts WHERE id = ANY ($1) AND state <> 'PROPOSED'"
            assert await database.fetch_value(sql, answered) == len(answered)
            while await log.sequence():
                pass
            assert [one async for one in audit()] == []


@dataclass(frozen=True, slots=True)
class Name:
    """A folder by whose name a server is reached, and which may lead to another one."""

    place: Path

    @property
    def url(self) -> str:
        return f"postgres://postgres:@/earnest?host={self.place}"

    def lead_to(self, url: str) -> None:
        """From now on."""
        another = self.place.with_suffix(".new")
        another.symlink_to(url.partition("?host=")[2])
        another.replace(self.place)


@asynccontextmanager
async def a_name_for(url: str) -> AsyncIterator[Name]:
    """One that is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="earnest-", dir="/tmp") as folder:
        name = Name(Path(folder) / "server")
        name.lead_to(url)
        yield name


async def _waits_for(url: str, standby: str) -> None:
    """Have the server answer no commit that the standby of this name doesn't have; without one all that are on its disk."""
    await asked(url, f"ALTER SYSTEM SET synchronous_standby_names = '{standby}'")
    await asked(url, "SELECT pg_reload_conf()")
    is_so = f"SELECT current_setting('synchronous_standby_names') = '{standby}'"
    await until(lambda: asked(url, is_so), "it knows whom it waits for")


async def _answered(deployment: Deployment, answered: list[str], stop: asyncio.Event) -> None:
    """The load: contracts, one after the other; those that were proposed and agreed on are noted."""
    while not stop.is_set():
        with suppress(*database.AWAY):
            deal = await deployment.propose("10.00")
            await deal.accept()
            answered.append(deal.id)
        await asyncio.sleep(0.05)


async def _more(answered: list[str], load: asyncio.Task[None]) -> None:
    """Wait until some more commands were answered."""
    enough = len(answered) + 5

    async def are_there() -> bool:
        if load.done():
            await load
        return len(answered) >= enough

    await until(are_there, "commands are answered")


async def test_whoever_follows_steps_over_what_the_server_gave_up_and_begins_anew_what_had_no_room(
    tmp_path: Path,
) -> None:
    tmp_path.chmod(0o711)
    backups, data = tmp_path / "backups", tmp_path / "second" / "postgres"
    data.parent.mkdir(mode=0o711)
    async with Engines(tmp_path / "first") as first:
        url = first.database_url
        environ = clean_environment() | MINIMAL | {"EARNEST_BACKUPS": str(backups), "REDIS_URL": first.redis_url}
        environ["DATABASE_URL"] = url
        async with followed(tmp_path, environ, url):
            before = taking.take(url, backups)
            await asked(url, "CREATE TABLE kept AS SELECT 1 AS row")
            await received(url)
        (unfinished,) = (backups / WAL).glob("*.partial")
        os.truncate(unfinished, 8192)  # as if there had been no room to fill it

        async with followed(tmp_path, environ, url):
            await received(url)
        await asked(url, "ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'")
        await asked(url, "SELECT pg_reload_conf()")

        async def is_given_up() -> object:
            """Nobody reads: the server writes, and lets go of what is too old."""
            await asked(url, "CREATE TABLE IF NOT EXISTS written AS SELECT 1 AS row")
            await asked(url, "SELECT pg_switch_wal()")
            await asked(url, "CHECKPOINT")
            return await asked(url, f"SELECT wal_status = 'lost' FROM pg_replication_slots WHERE slot_name = '{SLOT}'")

        await until(is_given_up, "the slot is lost")
        async with followed(tmp_path, environ, url):
            await asked(url, "CREATE TABLE kept_too AS SELECT 1 AS row")
            await received(url)
            assert "nothing of that can be brought back" in (tmp_path / "following.log").read_text()
            with pytest.raises(CannotStart, match=f"has a gap: {unfinished.stem}"):
                restoring.check_whole(before, backups)
            taking.take(url, backups)
            await asked(url, "INSERT INTO kept_too VALUES (2)")
            await received(url)

    code, _, remarked = await commanded(
        "restore", "--from", str(backups), "--into", str(data), folder=tmp_path, environ=environ
    )
    assert code == 0, remarked
    async with started_on(data) as second:
        assert await asked(second.url, "SELECT max(row) FROM kept_too") == 2


async def _unkept(url: str) -> list[Finding]:
    """What the doctor says if nobody keeps what the server writes."""
    found = await database_server.look(url, pool_size=5, keeps_backups=True)
    return [one for one in found if "nobody keeps" in one.what]
