"""Remembers how far into PostgreSQL's write-ahead log each account has written, for readers of a standby that may be behind.

Whoever wrote something must find it again, whichever process answers and wherever it reads, and so must whoever was told of
it. So what an account's operation wrote is marked for the account in Redis after it was committed, and what got a place in
the log for everybody whose feed it is in. A mark lives longer than any standby is read that is behind. Redis may lose
everything, throw out what it has no room for, or come back with what it knew a while ago: for as long nobody reads from the
standby. What can't be marked is
owed: this process knows that it doesn't know, and marks it as soon as it can. Only a deployment with a standby does any of
this; without one nothing is asked or sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from escrow import database
from escrow.annex import at_home

ANSWER_SECONDS: Final = 0.05
"""How long anybody waits for Redis: a reader that gets no answer reads from the primary."""

MARK_SECONDS: Final = 0.5
"""How long whoever wrote waits for Redis: longer than readers, since what isn't marked others don't know of."""

MUTE_SECONDS: Final = 1.0
"""After Redis failed readers don't ask it for so long, nor writers after it failed them: one that hangs must not slow everybody
down. Then what is owed is marked."""

OWED_MAX: Final = 10_000
"""So many marks are owed each for itself; if there are more, everybody's are."""

EVERYBODY: Final = ""
"""Stands for all names among those whose marks are owed."""

KEPT_SECONDS: Final = 60.0
"""How long a mark lives: several times as long as a standby may be behind and is still read (`replica.BEHIND_SECONDS_MAX`)."""

THE_LOG: Final = "log"
"""Whose mark tells up to where events have their positions, for those who see everybody's."""

WRITTEN: Final = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint"
"""The end of everything that was committed by now, in bytes; the rest of a page may be counted as written."""

_PREFIX: Final = "earnest:written:"
_SINCE, _UNSETTLED = f"{_PREFIX}since", f"{_PREFIX}unsettled"

_PUT: Final = """
for _, name in ipairs(KEYS) do
    local known = redis.call('GET', name)
    if not known or tonumber(known) < tonumber(ARGV[1]) or redis.call('PTTL', name) < ARGV[2] / 2 then
        redis.call('SET', name, ARGV[1], 'PX', ARGV[2])
    end
end
"""
"""A mark that lies further on was put a moment ago by somebody who asked PostgreSQL later, or is of a history that a restore has
voided. It is left alone, for as long as a standby may be behind and longer, and lives no longer for it; what comes then replaces
it, or whoever writes all the time would be read from the primary until the new history has come as far as the void one."""

_FURTHEST: Final = """
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
run = run .. ' ' .. string.match(redis.call('INFO', 'stats'), 'evicted_keys:(%d+)')
if redis.call('GET', KEYS[1]) ~= run then
    redis.call('SET', KEYS[1], run)
    redis.call('SET', KEYS[2], '1', 'PX', ARGV[1])
end
if redis.call('EXISTS', KEYS[2]) == 1 then return '-1' end
local furthest = '0'
for index = 3, #KEYS do
    local known = redis.call('GET', KEYS[index])
    if known and tonumber(known) > tonumber(furthest) then furthest = known end
end
return furthest
"""
"""The furthest of some marks; -1 for as long as a Redis may have known more: one that knows nothing, or what another run of
it noted, since it was restarted with an older snapshot or a replica took its place, or had to make room and may have thrown marks
out."""

_log = logging.getLogger(__name__)


class Unknown(Exception):
    """Nobody can tell how far it was written: Redis doesn't answer, or has lost what it knew."""


class Bookmarks:
    """The marks in one Redis; its methods are for the event loop that it is used in first."""

    def __init__(self, url: str) -> None:
        retry = Retry(NoBackoff(), 1)  # a pooled connection that Redis closed while it lay idle
        self._redis = Redis.from_url(url, retry=retry, retry_on_error=[RedisConnectionError])
        self._put = self._redis.register_script(_PUT)
        self._furthest = self._redis.register_script(_FURTHEST)
        self._muted_until: dict[Any, float] = {}
        self._owed: dict[str, float] = {}
        """Whose marks couldn't be put, and until when it matters, by the monotonic clock."""
        self._paying: asyncio.Task[None] | None = None

    async def mark(self, names: Iterable[str]) -> None:
        """Mark that these have written all that was committed by now, or owe it."""
        try:
            await self._mark(names)
        except Exception as error:  # noqa: BLE001 - the write is done, and nothing that fails here undoes it
            _log.warning("what was written could not be marked yet for readers of the standby", extra={"error": error})
            self._owe(names)

    async def _mark(self, names: Iterable[str]) -> None:
        written: int = await database.fetch_value(WRITTEN)
        await self._ask(self._put, [_PREFIX + name for name in names], written, within=MARK_SECONDS)

    async def furthest(self, names: Iterable[str]) -> int:
        """Up to where one of these has written; 0 if none has lately. Raises `Unknown`."""
        names = tuple(names)
        if not self._owed.keys().isdisjoint((EVERYBODY, *names)):
            raise Unknown("what was written could not be marked yet")
        keys = [_SINCE, _UNSETTLED, *(_PREFIX + name for name in names)]
        answer = int(await self._ask(self._furthest, keys, within=ANSWER_SECONDS))
        if answer < 0:
            raise Unknown("Redis was started or emptied a short while ago")
        return answer

    async def _ask(self, script: Any, keys: Sequence[str], *arguments: int, within: float) -> Any:
        if time.monotonic() < self._muted_until.get(script, 0.0):
            raise Unknown("Redis did not answer a moment ago")
        try:
            async with asyncio.timeout(within):
                return await script(keys=keys, args=[*arguments, round(KEPT_SECONDS * 1000)])
        except (RedisError, OSError, TimeoutError) as error:
            self._muted_until[script] = time.monotonic() + MUTE_SECONDS
            raise Unknown(f"Redis does not answer: {error!r}") from error

    async def owe(self, names: Iterable[str]) -> None:
        """Mark them after a moment; until then this process doesn't know how far they have written."""
        self._owe(names)

    def _owe(self, names: Iterable[str]) -> None:
        until = time.monotonic() + KEPT_SECONDS
        self._owed |= dict.fromkeys(names, until)
        if len(self._owed) > OWED_MAX:
            self._owed = {EVERYBODY: until}
        if self._paying is None:
            self._paying = asyncio.create_task(self._pay(), name="bookmarks that are owed")

    async def _pay(self) -> None:
        """Mark what is owed until nothing is, or until every standby has it that is read."""
        while self._owed:
            await asyncio.sleep(MUTE_SECONDS)
            now = time.monotonic()
            owed = {name: until for name, until in self._owed.items() if until > now}
            self._owed = dict(owed)
            try:
                await (self._unsettle() if EVERYBODY in owed else self._mark(owed))
            except Exception as error:  # noqa: BLE001 - it is owed as before
                _log.info("what was written can't be marked yet", extra={"error": error})
            else:
                self._owed = {name: until for name, until in self._owed.items() if owed.get(name) != until}
        self._paying = None

    async def _unsettle(self) -> None:
        """Have nobody read from the standby, as if Redis had lost what it knew."""
        async with asyncio.timeout(MARK_SECONDS):
            await self._redis.set(_UNSETTLED, "1", px=round(KEPT_SECONDS * 1000))

    async def close(self) -> None:
        """Let go of Redis."""
        if self._paying is not None:
            self._paying.cancel()
        with contextlib.suppress(RedisError, OSError):
            await self._redis.aclose()


@dataclass(slots=True)
class _Shelf:
    """The bookmarks of this process, if it has any."""

    bookmarks: Bookmarks | None = None


_shelf: Final = _Shelf()


async def connect(url: str) -> None:
    """Mark from now on what is written, in the Redis at `url`: for every process of a deployment that has a standby."""
    await disconnect()
    _shelf.bookmarks = Bookmarks(url)


async def disconnect() -> None:
    """Mark nothing any more."""
    bookmarks, _shelf.bookmarks = _shelf.bookmarks, None
    if bookmarks is not None:
        await bookmarks.close()


async def wrote(names: Iterable[str | None]) -> None:
    """Mark what was just committed for these accounts. It never raises; without bookmarks it does nothing.

    What is committed is done: whatever keeps it from being marked is told in the log, and whoever asked hears of success.
    Until it is marked, this process has those accounts read from the primary; readers of others may miss it until the
    standby has it. Like the write it ends although its caller goes.
    """
    bookmarks = _shelf.bookmarks
    accounts = sorted({name for name in names if name})
    if bookmarks is not None and accounts:
        await database.uncancelled(at_home(lambda: bookmarks.mark(accounts)))


async def may_have_written(names: Iterable[str | None]) -> None:
    """Owe the marks of whoever was cut off in the middle of a write, which may yet be committed: they are put a moment later."""
    bookmarks = _shelf.bookmarks
    accounts = sorted({name for name in names if name})
    if bookmarks is not None and accounts:
        await database.uncancelled(at_home(lambda: bookmarks.owe(accounts)))


async def furthest(names: Iterable[str | None]) -> int:
    """Up to where one of these has written, in bytes of the write-ahead log; 0 if none has lately. Raises `Unknown`."""
    bookmarks = _shelf.bookmarks
    if bookmarks is None:
        raise Unknown("this process has no bookmarks")
    accounts = [name for name in names if name]
    return await at_home(lambda: bookmarks.furthest(accounts))
