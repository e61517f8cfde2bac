"""Readers who come back at random points while everybody writes and the machinery behind is restarted miss nothing."""

from __future__ import annotations

import asyncio
import random
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import pytest

from earnest.engines.processes import Record
from earnest.engines.redis import EmbeddedRedis
from escrow import cursors, database
from escrow.accounts.authentication import authenticate
from escrow.errors import DomainError
from tests.api.live.serving import Served, serve, settled
from tests.api.live.socket import connected
from tests.api.live.sse import opened
from tests.factories import Deployment
from tests.workers.process import worker

WRITERS: Final = 8
READERS_EACH: Final = 2
PATIENCE_SECONDS: Final = 60.0
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


async def _write(deployment: Deployment, until: asyncio.Event) -> None:
    """Contracts one after the other, each from the proposal into work."""
    while not until.is_set():
        deal = await deployment.propose("10.00", "20.00")
        await deal.accept()
        try:
            await deal.fund()
        except DomainError:
            continue
        await asyncio.sleep(random.uniform(0.02, 0.1))


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


async def _read(served: Served, token: str | None, heard: list[Heard], done: asyncio.Event, *, by_socket: bool) -> None:
    """Come and go at random points until everything was heard."""
    while not (done.is_set() and heard and cursors.read_cursor(heard[-1][0]) >= await _last_visible(token)):
        count = random.choice((1, 3, 20, 200)) if not done.is_set() else 10_000  # at the end, whatever is left
        listening = asyncio.create_task(_listen(served, token, heard, count, by_socket=by_socket))
        await asyncio.wait({listening}, timeout=random.uniform(0.05, 1.0))
        listening.cancel()
        (outcome,) = await asyncio.gather(listening, return_exceptions=True)
        if isinstance(outcome, BaseException) and not (
            isinstance(outcome, asyncio.CancelledError) or "Too slow" in str(outcome)  # on a busy machine; it goes on
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


async def _last_visible(token: str | None) -> int:
    return cursors.read_cursor((await _visible(token))[-1][0])


async def test_readers_who_come_back_at_random_points_hear_every_visible_event_once_and_in_order(
    database: str, own_redis: EmbeddedRedis, tmp_path: Path
) -> None:
    async with serve(own_redis.url, sequencing=False) as served, AsyncExitStack() as stack:
        people = served.people
        stop, done = asyncio.Event(), asyncio.Event()
        process = await stack.enter_async_context(worker(database, own_redis.url, tmp_path / "worker.log"))
        writing = [asyncio.create_task(_write(people.deployment, stop)) for _ in range(WRITERS)]
        heard: dict[tuple[str, bool, int], list[Heard]] = {}
        reading = []
        for caller in (people.client, people.freelancer):
            for by_socket in (True, False):
                for number in range(READERS_EACH):
                    mine = heard.setdefault((caller.token or "", by_socket, number), [])
                    reading.append(asyncio.create_task(_read(served, caller.token, mine, done, by_socket=by_socket)))
        await asyncio.sleep(1.5)
        process.signal(signal.SIGKILL)
        await asyncio.sleep(0.5)
        await stack.enter_async_context(worker(database, own_redis.url, tmp_path / "second.log"))
        await asyncio.sleep(2.0)
        await own_redis.stop()
        await asyncio.sleep(1.5)
        await own_redis.start()
        await asyncio.sleep(1.5)
        stop.set()
        await asyncio.gather(*writing)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await settled()
            done.set()
            await asyncio.gather(*reading)
        for (token, by_socket, _), one in heard.items():
            expected = await _visible(token)
            assert len(expected) > 100
            assert one == expected, f"{'socket' if by_socket else 'event stream'}"
