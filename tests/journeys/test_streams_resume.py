"""Readers who come back at random points while everybody writes and the machinery behind is restarted miss nothing.

Nothing here goes by the clock: readers leave by what they heard and by what was written meanwhile, and each blow to the
machinery waits until enough was heard, or written, since the one before.
"""

from __future__ import annotations

import asyncio
import random
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from api.live.closing import Code
from earnest.engines.processes import Record
from earnest.engines.redis import EmbeddedRedis
from escrow import cursors, database, vault
from escrow.accounts.authentication import authenticate
from tests.api.live.serving import Served, serve, settled
from tests.api.live.socket import connected
from tests.api.live.sse import opened
from tests.chance import often
from tests.factories import SECRET_KEY, Deployment
from tests.workers.process import until, worker

WRITERS: Final = 8
READERS_EACH: Final = 2
PATIENCE_SECONDS: Final = 600.0
ENOUGH: Final = often(10, deep=100)
"""Contracts that are written, or events that each reader hears, between two blows."""
EVENTS: Final = "subscription ($after: Cursor) { events(after: $after) { cursor stream sequence } }"
BEGINNING: Final = cursors.print_cursor(cursors.BEGINNING)

Heard = tuple[str, str, int]
"""Cursor, stream and sequence of an event."""


@pytest.fixture
async def own_redis() -> AsyncIterator[EmbeddedRedis]:
    """A Redis of this test's own, so that it can be restarted."""
    with tempfile.TemporaryDirectory(prefix="earnest-", dir="/tmp") as folder:
        sockets = Path(folder)
        redis = EmbeddedRedis(sockets=sockets, log=sockets / "redis.log", record=Record(sockets / "processes.json"))
        await redis.start()
        yield redis
        await redis.stop()


class Writing:
    """How many contracts were written, and how many may be; whoever waits for more of them is woken."""

    def __init__(self) -> None:
        self.contracts = 0
        self._allowed = asyncio.Semaphore(0)
        self._more = asyncio.Event()

    async def turn(self) -> None:
        """Wait until one more may be written."""
        await self._allowed.acquire()

    def wrote(self) -> None:
        self.contracts += 1
        self._more.set()
        self._more = asyncio.Event()

    def allow(self, count: int) -> None:
        for _ in range(count):
            self._allowed.release()

    async def more(self, count: int) -> None:
        """Wait until that many more were written."""
        enough = self.contracts + count
        while self.contracts < enough:
            await self._more.wait()

    async def go_on(self) -> None:
        """Let enough be written, and half as much still while something else happens."""
        self.allow(ENOUGH + ENOUGH // 2)
        await self.more(ENOUGH)


async def _write(deployment: Deployment, writing: Writing, stop: asyncio.Event) -> None:
    """Contracts one after the other, each from the proposal into work."""
    while True:
        await writing.turn()
        if stop.is_set():
            return
        deal = await deployment.propose("10.00", "20.00")
        await deal.accept()
        await deal.fund()
        writing.wrote()


async def _listen(served: Served, token: str | None, heard: list[Heard], count: int, *, by_socket: bool) -> None:
    """Take `count` events from after the last one that was heard, and leave without a word."""
    variables = {"after": heard[-1][0] if heard else BEGINNING}
    async with AsyncExitStack() as stack:
        if by_socket:
            socket = await stack.enter_async_context(connected(served, token=token, close_timeout=0.1))
            await socket.subscribe(EVENTS, variables)
            take: Callable[[], Awaitable[dict[str, object]]] = socket.event
        else:
            take = (await stack.enter_async_context(opened(served, EVENTS, variables, token=token))).event
        for _ in range(count):
            event = await take()
            heard.append((str(event["cursor"]), str(event["stream"]), int(str(event["sequence"]))))


async def _read(
    served: Served, token: str | None, heard: list[Heard], writing: Writing, done: asyncio.Event, *, by_socket: bool
) -> None:
    """Come and go at random points until everything was written; then take what is left."""
    while not done.is_set():
        count = random.choice((1, 3, 20, 200))
        listening = asyncio.create_task(_listen(served, token, heard, count, by_socket=by_socket))
        leaving = [asyncio.create_task(writing.more(random.choice((1, 5, 25)))), asyncio.create_task(done.wait())]
        await asyncio.wait({listening, *leaving}, return_when=asyncio.FIRST_COMPLETED)
        for task in (listening, *leaving):
            task.cancel()
        outcome, *_ = await asyncio.gather(listening, *leaving, return_exceptions=True)
        _unless_it_may_come_back(outcome)
    while left := await _left(token, heard):
        (outcome,) = await asyncio.gather(
            _listen(served, token, heard, left, by_socket=by_socket), return_exceptions=True
        )
        _unless_it_may_come_back(outcome)


def _unless_it_may_come_back(outcome: object) -> None:
    """Raise how a visit ended; not if the reader left by itself, or a busy machine took too long: it goes on."""
    if isinstance(outcome, BaseException) and not (
        isinstance(outcome, asyncio.CancelledError | TimeoutError | httpx.TimeoutException)
        or (isinstance(outcome, ConnectionClosed) and outcome.rcvd is not None and outcome.rcvd.code == Code.TIMEOUT)
        or "Too slow" in str(outcome)
    ):
        raise outcome


async def _visible(token: str | None) -> list[Heard]:
    actor = await authenticate(token or "")
    assert actor is not None
    rows = await database.fetch(
        """
        SELECT placed.position, placed.stream_id, event.sequence
        FROM log_positions AS placed JOIN events AS event ON event.id = placed.event_id
        LEFT JOIN contracts AS contract ON contract.id = placed.stream_id
        WHERE $1 IN (placed.stream_id, contract.client_id, contract.freelancer_id) ORDER BY placed.position
        """,
        actor.account_id,
    )
    return [(cursors.print_cursor(row["position"]), row["stream_id"], row["sequence"]) for row in rows]


async def _left(token: str | None, heard: list[Heard]) -> int:
    """How many events there are behind the last one that was heard."""
    last = cursors.read_cursor(heard[-1][0]) if heard else cursors.BEGINNING
    return sum(cursors.read_cursor(cursor) > last for cursor, _, _ in await _visible(token))


async def _nothing_is_paid_for() -> bool:
    return not await database.fetch_value("SELECT EXISTS (SELECT FROM payment_orders WHERE state = 'STARTED')")


async def _at_work() -> int:
    return int(await database.fetch_value("SELECT count(*) FROM milestones WHERE state = 'ACTIVE'"))


async def test_readers_who_come_back_at_random_points_hear_every_visible_event_once_and_in_order(
    database: str, own_redis: EmbeddedRedis, tmp_path: Path
) -> None:
    async with serve(own_redis.url, sequencing=False) as served, AsyncExitStack() as stack:
        vault.use([SECRET_KEY])  # which the worker has, too
        people = served.people
        stop, done, writing = asyncio.Event(), asyncio.Event(), Writing()
        process = await stack.enter_async_context(worker(database, own_redis.url, tmp_path / "worker.log"))
        writers = [asyncio.create_task(_write(people.deployment, writing, stop)) for _ in range(WRITERS)]
        heard: dict[tuple[str, bool, int], list[Heard]] = {}
        reading = []
        for caller in (people.client, people.freelancer):
            for by_socket in (True, False):
                for number in range(READERS_EACH):
                    mine = heard.setdefault((caller.token or "", by_socket, number), [])
                    reading.append(
                        asyncio.create_task(_read(served, caller.token, mine, writing, done, by_socket=by_socket))
                    )

        async def everybody_hears_more() -> None:
            enough = {reader: len(mine) + ENOUGH for reader, mine in heard.items()}
            await writing.go_on()

            async def did() -> bool:
                return all(len(mine) >= enough[reader] for reader, mine in heard.items())

            await until(did, within_seconds=PATIENCE_SECONDS)

        async with asyncio.timeout(PATIENCE_SECONDS):
            await everybody_hears_more()
            process.signal(signal.SIGKILL)
            await writing.go_on()
            await stack.enter_async_context(worker(database, own_redis.url, tmp_path / "second.log"))
            await everybody_hears_more()
            await own_redis.stop()
            await everybody_hears_more()
            await own_redis.start()
            await everybody_hears_more()
            stop.set()
            writing.allow(WRITERS)
            await asyncio.gather(*writers)
            await until(_nothing_is_paid_for, within_seconds=PATIENCE_SECONDS)
            await settled()
            done.set()
            await asyncio.gather(*reading)
        assert await _at_work() == writing.contracts
        for (token, by_socket, _), one in heard.items():
            expected = await _visible(token)
            assert len(expected) > 100
            assert one == expected, f"{'socket' if by_socket else 'event stream'}"
