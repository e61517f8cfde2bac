"""Tells other processes to look at the database, through Redis pub/sub (the bell); it carries no data.

A ring carries no data and may be lost at any time; whoever listens polls as a backstop, so without Redis only latency
grows. Of the domain only `escrow.bookmarks` talks to Redis, too. A process connects once; every listener in it shares
one subscription, to what one of them listens to: each ring that is heard takes as long as a short statement.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.client import PubSub
from redis.asyncio.connection import AbstractConnection as Connection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from escrow import process_log
from escrow.annex import at_home

RING_TIMEOUT_SECONDS: Final = 0.1
"""A command never waits longer for its ring: the backstop is only a little slower."""

MUTE_SECONDS: Final = 1.0
"""After a ring timed out nobody rings for so long: a Redis that hangs must not slow every command down."""

SILENCE_SECONDS: Final = 10.0
"""After so long without a message the subscription is pinged; silence once more means that it is dead."""

BACKOFF_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0)
"""Waits between attempts to subscribe again; the last one repeats."""

_PREFIX: Final = "earnest:"
_log = logging.getLogger(__name__)


class Topic(StrEnum):
    """What may have happened."""

    PENDING = "pending"
    """Events were committed and wait for their position in the log."""
    POSITIONED = "positioned"
    """Events got their position: readers of the log have something to read."""
    ORDERS = "orders"
    """An order to the payment provider was written, or the provider has an answer."""
    DEADLINES = "deadlines"
    """A clock of a contract started, stopped or moved."""
    DELIVERIES = "deliveries"
    """Webhooks are due that no process took at once, or there is something else to do for an endpoint."""
    KEYS = "keys"
    """Keys open something else than before, or nothing any more."""
    COUPLINGS = "couplings"
    """A project tool told that something changed, or a coupling was set up or resumed."""


class Wakeups:
    """What one listener waits on. A ring while it is busy is kept, so that none falls between looking and waiting."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def wake(self) -> None:
        self._rung.set()

    def forget(self) -> None:
        """Rings so far are no reason to look again: whoever listens is about to look, and sees what they rang for."""
        self._rung.clear()

    async def wait(self, timeout_seconds: float) -> bool:
        """Return at the next ring, at once if one came since the last return, or after `timeout_seconds`.

        Answers whether it rang.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._rung.wait()
        rang = self._rung.is_set()
        self._rung.clear()
        return rang


@dataclass(slots=True, eq=False)
class _Bell:
    """The connections of this process: one to ring on, and one to listen on as soon as somebody does."""

    redis: Redis
    line: Connection
    """Rings alone go over it. By a client of the library each would take ten times as long, and each command rings."""
    muted_until: float = 0.0
    ear: asyncio.Task[None] | None = None
    heard: frozenset[Topic] = frozenset()
    """What the ear hears."""
    asked: set[Topic] = field(default_factory=set)
    """What the next round rings for."""
    next_round: asyncio.Task[None] | None = None
    rounds: set[asyncio.Task[None]] = field(default_factory=set)
    """That one and the one that is under way."""
    rope: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by the round that is under way."""


@dataclass(slots=True, eq=False)
class _Room:
    """Everybody in this process who listens, and the bell that they hear, if there is one."""

    bell: _Bell | None = None
    listeners: dict[Wakeups, frozenset[Topic]] = field(default_factory=dict)


_room: Final = _Room()


def takes(url: str) -> bool:
    """Whether a connection can be made of the URL, as far as the driver says without connecting to anything."""
    try:
        pool: Any = ConnectionPool.from_url(url)
        pool.make_connection()
    except Exception:  # noqa: BLE001 - whatever it stumbles over, it would at the start, too
        return False
    return True


async def connect(url: str) -> None:
    """Use the Redis at `url` (`redis://`, `rediss://` or `unix://`) from now on, in place of a former one.

    It need not be there: nothing is sent yet, and a Redis that comes later is found.
    """
    await disconnect()
    # One retry without a wait: a pooled connection that Redis closed while it lay idle is replaced by a fresh one.
    retry = Retry(NoBackoff(), 1)
    redis = Redis.from_url(url, retry=retry, retry_on_error=[RedisConnectionError])
    _room.bell = _Bell(redis, redis.connection_pool.make_connection())
    _lend_an_ear()


async def disconnect() -> None:
    """Let go of Redis. Listeners stay, and wait for their polling interval."""
    bell, _room.bell = _room.bell, None
    if bell is None:
        return
    if bell.ear is not None:
        bell.ear.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await bell.ear
    if bell.rounds:
        await asyncio.wait(bell.rounds, timeout=2 * RING_TIMEOUT_SECONDS)
    with contextlib.suppress(RedisError, OSError):
        await bell.line.disconnect(nowait=True)
        await bell.redis.aclose()


async def ring(*topics: Topic) -> None:
    """Wake everybody who listens to one of `topics`, in any process, if Redis is there.

    Best effort: it never raises and takes at most twice `RING_TIMEOUT_SECONDS`. Without a connection it does nothing.
    """
    bell = _room.bell
    if bell is not None and topics and time.monotonic() >= bell.muted_until:
        await at_home(lambda: _ring(bell, topics))


async def _ring(bell: _Bell, topics: Sequence[Topic]) -> None:
    """Have it rung by the next round, which rings for all who ask until it begins: a round takes as long as a short command."""
    # Who is cancelled while waiting takes the ring from nobody else.
    await asyncio.shield(_next_round(bell, topics))


def ring_beside(*topics: Topic) -> None:
    """The same for whoever has more to do than to wait for Redis, in the event loop that connected; `disconnect` waits for it."""
    bell = _room.bell
    if bell is not None and topics and time.monotonic() >= bell.muted_until:
        _next_round(bell, topics)


def _next_round(bell: _Bell, topics: Sequence[Topic]) -> asyncio.Task[None]:
    bell.asked.update(topics)
    if bell.next_round is None:
        bell.next_round = asyncio.get_running_loop().create_task(_round(bell))
        bell.rounds.add(bell.next_round)
        bell.next_round.add_done_callback(bell.rounds.discard)
    return bell.next_round


async def _round(bell: _Bell) -> None:
    async with bell.rope:
        topics, bell.asked, bell.next_round = sorted(bell.asked), set(), None
        if time.monotonic() < bell.muted_until:  # the round before found it mute
            return
        try:
            async with asyncio.timeout(RING_TIMEOUT_SECONDS):
                await _publish(bell.line, topics)
        except TimeoutError:
            bell.muted_until = time.monotonic() + MUTE_SECONDS
        except (RedisError, OSError) as error:
            _log.debug("bell not rung", extra={"error": error})
            await bell.line.disconnect(nowait=True)  # what it still answers is nobody's


async def _publish(line: Connection, topics: Sequence[Topic]) -> None:
    """Ring for these; on a new connection if Redis closed the last one while it lay idle."""
    with contextlib.suppress(RedisConnectionError):
        await _publish_once(line, topics)
        return
    await _publish_once(line, topics)


async def _publish_once(line: Connection, topics: Sequence[Topic]) -> None:
    rings = line.pack_commands([("PUBLISH", _PREFIX + topic, b"") for topic in topics])
    await line.send_packed_command(rings, check_health=False)
    for _ in topics:
        await line.read_response()


async def reachable() -> bool:
    """Whether Redis answers now, within `RING_TIMEOUT_SECONDS`: without it the service is degraded, not down."""
    bell = _room.bell
    if bell is None:
        return False
    try:
        async with asyncio.timeout(RING_TIMEOUT_SECONDS):
            return bool(await bell.redis.ping())
    except (RedisError, OSError, TimeoutError):
        return False


@contextlib.contextmanager
def listen(*topics: Topic, wakeups: Wakeups | None = None) -> Iterator[Wakeups]:
    """Wake-ups for rings of `topics` while the block lasts; those given, if others wake the listener, too.

    Look first, then wait: what happened before the block is not rung again. After Redis was away everybody is woken
    once, since rings may have been missed.
    """
    wakeups = wakeups or Wakeups()
    _room.listeners[wakeups] = frozenset(topics)
    _lend_an_ear()
    try:
        yield wakeups
    finally:
        del _room.listeners[wakeups]


def _lend_an_ear() -> None:
    """Subscribe once somebody listens; a process that only rings needs no subscription."""
    bell = _room.bell
    wanted = frozenset[Topic]().union(*_room.listeners.values())
    if bell is None or wanted <= bell.heard:
        return
    if bell.ear is not None:
        bell.ear.cancel()  # who listens already is woken by the new subscription
    bell.heard |= wanted
    bell.ear = asyncio.get_running_loop().create_task(_hear(bell.redis, bell.heard), name="bell")


async def _hear(redis: Redis, topics: frozenset[Topic]) -> None:
    """Pass every ring for these on, subscribing again whenever the connection ends."""
    process_log.begin(pump="bell")  # whoever listened first is no cause of what comes
    failures = 0
    while True:
        try:
            async with redis.pubsub() as subscription:
                await subscription.subscribe(*(_PREFIX + topic for topic in Topic if topic in topics))
                while True:
                    # The confirmation of a subscription counts as a ring too: one may have been missed before it.
                    _wake(await _next_topic(subscription))
                    if failures:
                        _log.info("Redis is back")
                        failures = 0
        except (RedisError, OSError, TimeoutError) as error:
            if failures == 0:
                _log.warning("Redis is away, polling goes on", extra={"error": error})
            await asyncio.sleep(BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)])
            failures += 1


async def _next_topic(subscription: PubSub) -> str | None:
    """The next topic that was rung, or `None` for a pong; `TimeoutError` if even a ping brings no answer."""
    message = await subscription.get_message(timeout=SILENCE_SECONDS)
    if message is None:
        await subscription.ping()
        message = await subscription.get_message(timeout=SILENCE_SECONDS)
    if message is None:
        raise TimeoutError(f"no answer for {SILENCE_SECONDS:.0f} s")
    channel = message["channel"]
    return None if channel is None else channel.decode().removeprefix(_PREFIX)


def _wake(topic: str | None) -> None:
    for wakeups, topics in _room.listeners.items():
        if topic in topics:
            wakeups.wake()
