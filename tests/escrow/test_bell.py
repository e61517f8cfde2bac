"""The bell on a real Redis: it wakes at once, and its absence is felt by nobody but the clock."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from earnest.engines.processes import Record
from earnest.engines.redis import EmbeddedRedis
from escrow import bell
from escrow.bell import Topic
from tests.patience import PATIENCE_SECONDS

LONG_SECONDS = PATIENCE_SECONDS
"""Far longer than a ring takes and than any test should: waiting so long would mean that no ring came."""


@pytest.fixture
def sockets() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="earnest-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
async def redis(sockets: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EmbeddedRedis]:
    """A Redis of this test's own, stopped and started at will, with the bell connected to it.

    A ring may take its time: on a busy machine Redis is slow to answer, and not away.
    """
    monkeypatch.setattr(bell, "RING_TIMEOUT_SECONDS", 60.0)
    engine = EmbeddedRedis(sockets=sockets, log=sockets / "redis.log", record=Record(sockets / "processes.json"))
    await engine.start()
    await bell.connect(engine.url)
    yield engine
    await bell.disconnect()
    await engine.stop()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, no ring is given up."""
    monkeypatch.setattr(bell, "RING_TIMEOUT_SECONDS", LONG_SECONDS)


async def until_heard(wakeups: bell.Wakeups, topic: Topic) -> float:
    """Ring until it is heard; the seconds from the ring that was heard to the wake-up."""
    deadline = time.monotonic() + LONG_SECONDS
    while time.monotonic() < deadline:
        rung_at = time.monotonic()
        await bell.ring(topic)
        if await wakeups.wait(0.2):
            return time.monotonic() - rung_at
    raise AssertionError("no ring was heard")


async def settled(*wakeups: bell.Wakeups) -> None:
    """Past the wake-ups that subscribing itself gives, topic by topic, the last one last."""
    last = list(Topic)[-1]
    with bell.listen(last) as subscribed:
        await bell.ring(last)
        assert await subscribed.wait(LONG_SECONDS)
    for one in wakeups:
        await one.wait(0)


async def test_a_ring_wakes_its_listeners_long_before_they_would_poll(redis: EmbeddedRedis) -> None:
    with bell.listen(Topic.PENDING) as wakeups, bell.listen(Topic.PENDING, Topic.ORDERS) as both:
        await settled(wakeups, both)
        for _ in range(10):
            await bell.ring(Topic.PENDING)
            assert await wakeups.wait(LONG_SECONDS)
            assert await both.wait(LONG_SECONDS)


async def test_a_ring_wakes_nobody_who_listens_to_something_else(redis: EmbeddedRedis) -> None:
    with bell.listen(Topic.ORDERS) as orders, bell.listen(Topic.POSITIONED) as positioned:
        await settled(orders, positioned)
        await bell.ring(Topic.ORDERS)
        assert await orders.wait(LONG_SECONDS)
        assert not await positioned.wait(0.1)


async def test_a_ring_while_the_listener_is_busy_is_kept_and_many_are_one(redis: EmbeddedRedis) -> None:
    with bell.listen(Topic.PENDING) as wakeups, bell.listen(Topic.ORDERS) as last:
        await settled(wakeups, last)
        await bell.ring(Topic.PENDING)
        await bell.ring(Topic.PENDING, Topic.PENDING)
        await bell.ring(Topic.ORDERS)
        assert await last.wait(LONG_SECONDS)  # rings come in order, so the others are there
        assert await wakeups.wait(0)
        assert not await wakeups.wait(0.1)


async def _published(engine: EmbeddedRedis) -> int:
    redis = Redis.from_url(engine.url)
    try:
        found = (await redis.info("commandstats")).get("cmdstat_publish", {"calls": 0})
    finally:
        await redis.aclose()
    return int(found["calls"])


@pytest.mark.usefixtures("patient")
async def test_who_rings_at_the_same_time_is_rung_for_together(redis: EmbeddedRedis) -> None:
    with bell.listen(Topic.ORDERS) as orders, bell.listen(Topic.DEADLINES) as deadlines:
        await settled(orders, deadlines)
        before = await _published(redis)
        topics = (Topic.ORDERS, Topic.DEADLINES)
        await asyncio.gather(*(bell.ring(topics[number % 2]) for number in range(100)))
        assert await orders.wait(LONG_SECONDS)
        assert await deadlines.wait(LONG_SECONDS)
        assert await _published(redis) - before == len(topics)


@pytest.mark.usefixtures("patient")
async def test_a_ring_that_comes_while_a_round_is_under_way_is_rung_by_the_next(redis: EmbeddedRedis) -> None:
    with bell.listen(Topic.ORDERS) as orders, bell.listen(Topic.DEADLINES) as deadlines:
        await settled(orders, deadlines)
        first = asyncio.ensure_future(bell.ring(Topic.ORDERS))
        for _ in range(3):  # until the round has taken what it rings for
            await asyncio.sleep(0)
        await asyncio.gather(first, bell.ring(Topic.DEADLINES))
        assert await orders.wait(LONG_SECONDS)
        assert await deadlines.wait(LONG_SECONDS)


@pytest.mark.usefixtures("patient")
async def test_who_is_cancelled_takes_the_ring_from_nobody(redis: EmbeddedRedis) -> None:
    with bell.listen(Topic.ORDERS) as orders:
        await settled(orders)
        gone = asyncio.ensure_future(bell.ring(Topic.ORDERS))
        await asyncio.sleep(0)
        other = asyncio.ensure_future(bell.ring(Topic.ORDERS))
        gone.cancel()
        await other
        assert gone.cancelled()
        assert await orders.wait(LONG_SECONDS)


@pytest.mark.usefixtures("patient")
async def test_rings_go_over_one_connection_and_over_a_new_one_if_redis_closed_it(redis: EmbeddedRedis) -> None:
    with bell.listen(Topic.ORDERS) as orders:
        await settled(orders)
        client = Redis.from_url(redis.url)
        try:
            before = (await client.info("stats"))["total_connections_received"]
            for _ in range(5):
                await bell.ring(Topic.ORDERS, Topic.DEADLINES)
            assert (await client.info("stats"))["total_connections_received"] == before
            await orders.wait(LONG_SECONDS)
            await orders.wait(0)
            await client.client_kill_filter(_type="normal")
            await bell.ring(Topic.PENDING, Topic.ORDERS)
            assert await orders.wait(LONG_SECONDS)
            assert (await client.info("stats"))["total_connections_received"] == before + 1
        finally:
            await client.aclose()


async def _subscribed(engine: EmbeddedRedis) -> set[str]:
    client = Redis.from_url(engine.url)
    try:
        return {channel.decode().removeprefix("earnest:") for channel in await client.pubsub_channels("earnest:*")}
    finally:
        await client.aclose()


async def test_a_process_hears_what_somebody_in_it_listens_to_and_nothing_else(redis: EmbeddedRedis) -> None:
    with bell.listen(Topic.KEYS) as keys, bell.listen(Topic.COUPLINGS, Topic.KEYS) as both:
        await settled(keys, both)
        assert await _subscribed(redis) == {Topic.KEYS, Topic.COUPLINGS}
        with bell.listen(Topic.ORDERS) as orders:
            assert await orders.wait(LONG_SECONDS)  # subscribing
            assert await keys.wait(LONG_SECONDS), "it may have missed a ring meanwhile"
            assert await _subscribed(redis) == {Topic.KEYS, Topic.COUPLINGS, Topic.ORDERS}
            await settled(keys, orders)
            await bell.ring(Topic.ORDERS)
            assert await orders.wait(LONG_SECONDS)
            await bell.ring(Topic.KEYS)
            assert await keys.wait(LONG_SECONDS)


@pytest.mark.usefixtures("patient")
async def test_who_rings_beside_waits_for_nothing_and_letting_go_of_redis_waits_for_the_ring(
    redis: EmbeddedRedis,
) -> None:
    before = await _published(redis)
    bell.ring_beside(Topic.ORDERS)
    bell.ring_beside(Topic.ORDERS, Topic.KEYS)
    await bell.disconnect()
    assert await _published(redis) - before == 2
    bell.ring_beside(Topic.ORDERS)  # without a connection it does nothing


async def test_what_is_forgotten_wakes_nobody() -> None:
    wakeups = bell.Wakeups()
    wakeups.wake()
    wakeups.forget()
    assert not await wakeups.wait(0)


async def test_waiting_ends_after_the_polling_interval_without_a_ring() -> None:
    with bell.listen(Topic.PENDING) as wakeups:
        started = time.monotonic()
        assert not await wakeups.wait(0.1)
        assert time.monotonic() - started > 0.09


async def test_ringing_without_a_connection_does_nothing() -> None:
    await bell.ring(Topic.PENDING)
    assert not await bell.reachable()


async def test_ringing_never_raises_while_redis_is_away_and_is_heard_again_after_its_return(
    redis: EmbeddedRedis,
) -> None:
    with bell.listen(Topic.PENDING) as wakeups:
        await until_heard(wakeups, Topic.PENDING)
        assert await bell.reachable()
        await redis.stop()
        started = time.monotonic()
        for _ in range(100):
            await bell.ring(Topic.PENDING)
        assert time.monotonic() - started < 10 * bell.RING_TIMEOUT_SECONDS  # each of 100 waiting would be 100
        assert not await bell.reachable()
        await redis.start()
        await until_heard(wakeups, Topic.PENDING)
        assert await bell.reachable()


async def test_whoever_listens_is_woken_when_redis_returns_because_a_ring_may_have_been_missed(
    redis: EmbeddedRedis,
) -> None:
    with bell.listen(Topic.PENDING) as wakeups:
        await settled(wakeups)
        await redis.stop()
        assert not await wakeups.wait(0.3)
        await redis.start()
        assert await wakeups.wait(LONG_SECONDS)


async def test_a_redis_that_hangs_costs_one_timeout_and_then_nothing(
    sockets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell, "MUTE_SECONDS", LONG_SECONDS)
    path = sockets / "hangs.sock"
    closing = asyncio.Event()
    asked = 0

    async def hang(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await closing.wait()
        writer.close()

    server = await asyncio.start_unix_server(hang, path)
    await bell.connect(f"unix://{path}")
    try:
        for _ in range(20):
            await bell.ring(Topic.PENDING)
        assert asked <= 1
    finally:
        await bell.disconnect()
        closing.set()
        server.close()


async def test_a_redis_that_comes_only_later_is_found(sockets: Path) -> None:
    engine = EmbeddedRedis(sockets=sockets, log=sockets / "redis.log", record=Record(sockets / "processes.json"))
    await bell.connect(engine.url)
    try:
        with bell.listen(Topic.POSITIONED) as wakeups:
            assert not await wakeups.wait(0.2)
            await engine.start()
            assert await wakeups.wait(LONG_SECONDS)
    finally:
        await bell.disconnect()
        await engine.stop()
