"""Has long reads answered by a standby of the database, as long as it is near enough and has what the reader wrote.

A process looks at its standby several times a second, and knows by it what the standby has replayed and how long ago the
primary had no more than that. A reader is sent there only if the standby is at most `BEHIND_SECONDS_MAX` behind and has
replayed all that `escrow.bookmarks` has marked for the reader. In every other case, and whenever anything fails there, the
primary answers. Nothing is ever written, decided or locked by what a standby says.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient

from escrow import bookmarks, database
from escrow.annex import at_home

BEHIND_SECONDS_MAX: Final = 10.0
"""A standby that is further behind is not read: lists would be older than anybody expects."""

LOOK_SECONDS: Final = 0.1
"""How often a process looks at its standby; whoever wrote reads from the primary until a look finds it there."""

AWAY_LOOK_SECONDS: Final = 1.0
"""How often one is looked for that isn't read: each such look takes a new connection to both servers, and the primary, which
answers everything meanwhile, must not be busy with those of every process."""

ANSWER_SECONDS: Final = 2.0
"""How long both servers have for a look; a standby that takes longer is away, and what it was asked is asked of the primary."""

STATEMENT_SECONDS: Final = 2.0
"""How long a statement may take there: a lock that was replayed is held for as long as the replay stands still."""

LIST_SECONDS: Final = 10.0
"""How long a whole operation may take there, with waiting for a connection that others wait with."""

POOL_CONNECTIONS_MAX: Final = 20

_REPLAYED: Final = """
SELECT pg_is_in_recovery() AS follows, (pg_last_wal_replay_lsn() - '0/0')::bigint AS replayed,
       (SELECT system_identifier FROM pg_control_system()) AS system,
       (SELECT received_tli FROM pg_stat_wal_receiver) AS timeline
"""
"""The timeline is known only of a standby that streams, and only by whoever may see it (`pg_read_all_stats`)."""

_FLUSHED: Final = """
SELECT (pg_current_wal_flush_lsn() - '0/0')::bigint AS written, (SELECT system_identifier FROM pg_control_system()) AS system,
       ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int AS timeline
"""

FAILURES: Final = (*database.AWAY, asyncpg.PostgresError, TimeoutError)
"""What a statement there may end with, so that the primary has to answer."""

_log = logging.getLogger(__name__)


class Read(StrEnum):
    """Where a list or the feed was read, and why not from the standby, by the words of the metric."""

    STANDBY = "standby"
    WROTE = "primary_wrote"
    """The reader wrote something that the standby has not replayed, or nobody knows."""
    BEHIND = "primary_behind"
    AWAY = "primary_away"
    FAILED = "primary_failed"
    """The standby was asked, and something failed there, or was refused."""


class NoStandby(Exception):
    """What answers at the standby's address follows nobody, or another primary, or has a history that was voided."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How the standby stands: whether it answers, and how long ago the primary had no more than it has."""

    answers: bool
    behind_seconds: float | None

    @property
    def is_read(self) -> bool:
        return self.answers and self.behind_seconds is not None and self.behind_seconds <= BEHIND_SECONDS_MAX


@dataclass(slots=True, eq=False)
class Replica:
    """One standby as a process sees it."""

    url: str
    primary_url: str
    reads: defaultdict[Read, int] = field(default_factory=lambda: defaultdict(int))
    """How often each. Threads count here: see `escrow.meters`."""
    replayed: int | None = None
    """Bytes of the write-ahead log that it has replayed for certain; `None` while it doesn't answer."""
    caught_up_at: float | None = None
    """When the primary had no more than that, by the monotonic clock."""
    _written: deque[tuple[float, int]] = field(default_factory=deque)
    """What the primary had when, of what the standby has not replayed yet."""
    _eyes: dict[str, asyncpg.Connection[asyncpg.Record]] = field(default_factory=dict)
    """The connections by which both are looked at, by URL: of their own, so that no look waits for a busy pool."""
    _pools: dict[asyncio.AbstractEventLoop, AsyncpgDBClient] = field(default_factory=dict)
    """One for each event loop of the process: the one that serves everybody, and the annex."""
    _said: str | None = None
    """Why it isn't read, as the log was told last."""

    def standing(self) -> Standing:
        """How it stands now."""
        caught_up_at = self.caught_up_at
        behind = None if caught_up_at is None else max(0.0, time.monotonic() - caught_up_at)
        return Standing(self.replayed is not None, behind)

    async def for_reader(self, names: Iterable[str | None]) -> AsyncpgDBClient | None:
        """The pool from which whoever has these bookmarks may read; `None` if the primary has to answer."""
        standing = self.standing()
        if not standing.is_read:
            self.reads[Read.BEHIND if standing.answers else Read.AWAY] += 1
            return None
        try:
            written = await bookmarks.furthest(names)
        except bookmarks.Unknown:
            written = None
        replayed = self.replayed  # after the marks were read: it may have been lost meanwhile
        if replayed is None or written is None or written > replayed:
            self.reads[Read.WROTE] += 1
            return None
        return self._pool()

    def _pool(self) -> AsyncpgDBClient:
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None:
            self._pools[loop] = pool = database.pool_beside(
                self.url, size=POOL_CONNECTIONS_MAX, statement_seconds=STATEMENT_SECONDS
            )
        return pool

    async def watch(self) -> None:
        """Look at it until cancelled."""
        while True:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await self.look()
            except Exception as error:  # noqa: BLE001 - whatever it is, the standby isn't read
                self.lost(error)
                await asyncio.sleep(AWAY_LOOK_SECONDS)
            else:
                await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Find out how it stands. Raises `NoStandby`, or whatever keeps one of both from answering."""
        asked_at = time.monotonic()
        primary = await self._ask(self.primary_url, _FLUSHED)
        found = await self._ask(self.url, _REPLAYED)
        _must_follow(found, primary)
        if found["replayed"] > primary["written"]:  # as it may be: the primary was asked before
            asked_at = time.monotonic()
            primary = await self._ask(self.primary_url, _FLUSHED)
            if found["replayed"] > primary["written"]:
                raise NoStandby("it has what the primary never wrote: the primary was restored to an earlier moment")
        if self.replayed is None:
            _log.info("the standby answers")
            self._said = None
        self.replayed = found["replayed"]
        self._written.append((asked_at, primary["written"]))
        while self._written and self._written[0][1] <= found["replayed"]:
            self.caught_up_at = self._written.popleft()[0]
        self._thin()

    def _thin(self) -> None:
        """Of a standby that stays behind, remember no more than what it would be measured by."""
        while len(self._written) > 2 and self._written[1][0] < time.monotonic() - 2 * BEHIND_SECONDS_MAX:
            self._written.popleft()

    async def _ask(self, url: str, sql: str) -> asyncpg.Record:
        """The row that a server answers. When it ends the connection, all that is known of the standby is void at once."""
        eye = self._eyes.get(url)
        if eye is None:
            self._eyes[url] = eye = await database.connection_to(url)
            eye.add_termination_listener(self._ended)
        row = await eye.fetchrow(sql)
        if row is None:
            raise NoStandby("a server answers nothing")
        return row

    def _ended(self, eye: Any) -> None:
        if eye in self._eyes.values():
            self.lost(ConnectionResetError("a server ended the connection by which it is looked at"))

    def lost(self, error: BaseException) -> None:
        """Read nothing from it any more, and have what was asked of it asked of the primary. The log is told each reason once."""
        said = repr(error)
        if said != self._said:
            _log.warning("the standby is not read", extra={"error": error})
            self._said = said
        self._let_go()

    async def stuck(self, error: BaseException) -> None:
        """A statement took too long there: the next ones aren't to find out, too. From any loop of the process."""

        async def lose() -> None:
            self.lost(error)

        await at_home(lose)

    def _let_go(self) -> None:
        self.replayed = self.caught_up_at = None
        self._written.clear()  # by a primary that may have been restored since
        eyes, self._eyes = self._eyes, {}
        for eye in eyes.values():
            eye.terminate()
        pools, self._pools = self._pools, {}
        for loop, pool in pools.items():
            with contextlib.suppress(RuntimeError):  # that loop is closed
                loop.call_soon_threadsafe(_drop, pool)

    async def close(self) -> None:
        """Let go of it."""
        self._let_go()


def _must_follow(found: asyncpg.Record, primary: asyncpg.Record) -> None:
    """Raise `NoStandby` unless what was found follows this primary."""
    if not found["follows"] or found["replayed"] is None:
        raise NoStandby("what answers there is no standby")
    if found["system"] != primary["system"]:
        raise NoStandby("it is a standby of another primary")
    if found["timeline"] not in (None, primary["timeline"]):
        raise NoStandby("it follows another history than the primary's")


def _drop(pool: AsyncpgDBClient) -> None:
    """End its connections, whatever they wait for."""
    if pool._pool is not None:  # noqa: SLF001 - Tortoise gives its pool no public name
        pool._pool.terminate()  # noqa: SLF001


@dataclass(slots=True)
class _Place:
    """The standby of this process, if it has one."""

    replica: Replica | None = None
    watching: asyncio.Task[None] | None = None


_place: Final = _Place()


async def connect(url: str, *, primary_url: str) -> Replica:
    """Read from the standby at `url` from now on; it need not be there. `bookmarks` have to be connected, too."""
    await disconnect()
    _place.replica = replica = Replica(url, primary_url)
    _place.watching = asyncio.create_task(replica.watch(), name="standby")
    return replica


async def disconnect() -> None:
    """Read everything from the primary."""
    watching, _place.watching = _place.watching, None
    if watching is not None:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
    replica, _place.replica = _place.replica, None
    if replica is not None:
        await replica.close()


def current() -> Replica | None:
    """The standby of this process; `None` if the deployment has none."""
    return _place.replica
