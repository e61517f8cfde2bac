"""A real standby of the session's PostgreSQL: a base backup that streams, in a process of its own, which logs its statements."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
from redis.asyncio import Redis

from earnest.engines.postgres import choose_user, find_binaries, give_to
from earnest.engines.processes import end, launch, open_log
from escrow import bookmarks, database
from escrow.replica import Replica
from tests.patience import PATIENCE_SECONDS


@dataclass(slots=True)
class Standby:
    """The standby; it starts and ends as a test wants it to."""

    folder: Path
    process: asyncio.subprocess.Process | None = field(default=None)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def url(self, of_primary: str) -> str:
        """The URL under which a database of the primary is read here."""
        return f"{of_primary.partition('?')[0]}?host={self.folder}"

    async def start(self) -> None:
        """Start it and wait until it can be read."""
        with open_log(self.folder / "log") as log:
            self.process = await launch(
                str(find_binaries() / "postgres"),
                *("-D", str(self._data)),
                *("-c", "listen_addresses="),
                *("-c", f"unix_socket_directories={self.folder}"),
                *("-c", "unix_socket_permissions=0700"),
                *("-c", "fsync=off"),
                *("-c", "log_statement=all"),
                *("-c", "hot_standby_feedback=on"),
                *("-c", "timezone=UTC"),
                death_signal=signal.SIGQUIT,
                output=log,
                user=choose_user(self._data),
                must_enter=self._data,
            )
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await self._answers():
                assert self.process.returncode is None, self.log()[-2000:]
                await asyncio.sleep(0.05)

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(self.url("postgres://postgres:@/postgres"))
        except (OSError, asyncpg.PostgresError):
            return False
        await connection.close()
        return True

    async def kill(self) -> None:
        """End it as a power cut does."""
        process, self.process = self.process, None
        if process is not None:
            await end(process, first=signal.SIGQUIT, grace_seconds=PATIENCE_SECONDS, group=False)

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """It replays nothing while the block lasts; what it has can be read."""
        connection = await asyncpg.connect(self.url("postgres://postgres:@/postgres"))
        try:
            await connection.execute("SELECT pg_wal_replay_pause()")
            async with asyncio.timeout(PATIENCE_SECONDS):
                while await connection.fetchval("SELECT pg_get_wal_replay_pause_state()") != "paused":  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            yield
        finally:
            await connection.execute("SELECT pg_wal_replay_resume()")
            await connection.close()

    @asynccontextmanager
    async def cut_off(self) -> AsyncIterator[None]:
        """It gets nothing from its primary while the block lasts; what it has can be read."""
        connection = await asyncpg.connect(self.url("postgres://postgres:@/postgres"))
        primary = await connection.fetchval("SHOW primary_conninfo")
        try:
            await _until_receiving(connection, True)  # the end of a receiver that only begins couldn't be seen
            await _set_primary(connection, "")
            await _until_receiving(connection, False)
            yield
        finally:
            await _set_primary(connection, primary)
            await connection.close()

    @asynccontextmanager
    async def impatient(self) -> AsyncIterator[None]:
        """While the block lasts it cancels at once what is in the way of what it has to replay."""
        connection = await asyncpg.connect(self.url("postgres://postgres:@/postgres"))
        try:
            await connection.execute("ALTER SYSTEM SET max_standby_streaming_delay = 0")
            await connection.execute("SELECT pg_reload_conf()")
            yield
        finally:
            await connection.execute("ALTER SYSTEM RESET max_standby_streaming_delay")
            await connection.execute("SELECT pg_reload_conf()")
            await connection.close()

    async def promote(self) -> None:
        """Make it a primary of its own, with what it has."""
        connection = await asyncpg.connect(self.url("postgres://postgres:@/postgres"))
        try:
            assert await connection.fetchval("SELECT pg_promote(true, $1)", round(PATIENCE_SECONDS)), self.log()
        finally:
            await connection.close()

    def log(self) -> str:
        """What it wrote so far."""
        return (self.folder / "log").read_text(errors="replace")

    def asked(self, table: str) -> int:
        """How many statements about a table it was asked so far."""
        return len(
            re.findall(rf"LOG:  (?:execute|statement)[^\n]*:(?:(?!LOG:  ).)*?\b{table}\b", self.log(), re.DOTALL)
        )


async def _set_primary(standby: asyncpg.Connection[asyncpg.Record], address: str) -> None:
    quoted = address.replace("'", "''")
    await standby.execute(f"ALTER SYSTEM SET primary_conninfo = '{quoted}'")
    await standby.execute("SELECT pg_reload_conf()")


async def _until_receiving(standby: asyncpg.Connection[asyncpg.Record], is_so: bool) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await standby.fetchval("SELECT EXISTS (SELECT FROM pg_stat_wal_receiver)") is not is_so:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@asynccontextmanager
async def standby_of(primary_url: str) -> AsyncIterator[Standby]:
    """A standby of the server with that database, gone at the end."""
    host = primary_url.rpartition("host=")[2]
    folder = Path(tempfile.mkdtemp(prefix="standby-", dir="/tmp"))
    standby = Standby(folder)
    try:
        standby._data.mkdir(mode=0o700)
        user = choose_user(standby._data)
        if user is not None:
            give_to(folder, user)
        with open_log(folder / "log") as log:
            copying = await launch(
                str(find_binaries() / "pg_basebackup"),
                *("--pgdata", str(standby._data)),
                *("--host", host, "--username", "postgres"),
                *("--checkpoint", "fast", "--wal-method", "stream", "--write-recovery-conf", "--no-sync"),
                death_signal=signal.SIGKILL,
                output=log,
                user=user,
                must_enter=folder,
            )
        assert await copying.wait() == 0, standby.log()
        await standby.start()
        yield standby
    finally:
        await standby.kill()
        shutil.rmtree(folder, ignore_errors=True)


async def caught_up(replica: Replica) -> None:
    """Wait until the process knows that its standby has all that was written by now."""
    written: int = await database.fetch_value(bookmarks.WRITTEN)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while replica.replayed is None or replica.replayed < written or not replica.standing().is_read:
            # What was counted may be the rest of a page, which is written only with what comes next.
            await database.execute("SELECT pg_log_standby_snapshot()")
            await asyncio.sleep(0.02)


async def remember(redis_url: str) -> None:
    """Have Redis be one that has known everything for as long as it runs."""
    async with Redis.from_url(redis_url) as redis:
        known = f"{(await redis.info('server'))['run_id']} {(await redis.info('stats'))['evicted_keys']}"
        await redis.set("earnest:written:since", known)


@asynccontextmanager
async def locking(table: str, primary_url: str) -> AsyncIterator[None]:
    """While the block lasts the primary locks a table again and again, which its standby has to repeat."""

    async def lock() -> None:
        while True:
            async with connection.transaction():
                await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            await asyncio.sleep(0.05)

    connection = await asyncpg.connect(primary_url)
    task = asyncio.create_task(lock())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await connection.close()
