"""What was written is marked for readers of a standby, or it isn't; either way whoever wrote it hears that it is done."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from earnest.engines.processes import Record
from earnest.engines.redis import EmbeddedRedis
from escrow import bookmarks, database, log
from tests.factories import Deployment
from tests.patience import PATIENCE_SECONDS
from tests.replicas import remember

FULL = asyncpg.TooManyConnectionsError("remaining connection slots are reserved")


@pytest_asyncio.fixture(loop_scope="session")
async def redis(database: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Redis]:
    """The Redis that this process puts its marks in, which has known everything for long; nothing is late in it."""
    for waits in ("ANSWER_SECONDS", "MARK_SECONDS"):
        monkeypatch.setattr(bookmarks, waits, PATIENCE_SECONDS)
    await bookmarks.connect(redis_url)
    await remember(redis_url)
    async with Redis.from_url(redis_url) as redis:
        yield redis
    await bookmarks.disconnect()


@asynccontextmanager
async def hiccup(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Redis answers no script while the block lasts, and nobody waits for it."""
    await redis.client_pause(round(PATIENCE_SECONDS * 1000), all=False)
    try:
        with monkeypatch.context() as patched:
            patched.setattr(bookmarks, "MARK_SECONDS", 0.02)
            yield
    finally:
        await redis.client_unpause()


async def there_is(redis: Redis, key: str) -> None:
    """Wait until Redis has a key."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await redis.exists(key):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_what_is_done_is_done_though_postgresql_has_no_room_to_say_how_far(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object) -> None:
        raise FULL

    monkeypatch.setattr(bookmarks, "MUTE_SECONDS", PATIENCE_SECONDS)  # nothing is marked again while the test lasts
    with monkeypatch.context() as patched:
        patched.setattr(database, "fetch_value", full)
        await bookmarks.wrote(["acc_1"])
    assert not await redis.exists("earnest:written:acc_1")


async def test_what_was_written_is_marked_although_whoever_wrote_it_goes(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, goes_on = asyncio.Event(), asyncio.Event()
    fetch_value = database.fetch_value

    async def slowly(*statement: Any) -> Any:
        asked.set()
        await goes_on.wait()
        return await fetch_value(*statement)

    monkeypatch.setattr(database, "fetch_value", slowly)
    writing = asyncio.create_task(bookmarks.wrote(["acc_1"]))
    await asked.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    goes_on.set()
    await there_is(redis, "earnest:written:acc_1")


async def test_whose_mark_is_owed_reads_from_the_primary_and_nobody_else(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bookmarks, "MUTE_SECONDS", PATIENCE_SECONDS)  # nothing is marked again while the test lasts
    async with hiccup(redis, monkeypatch):
        await bookmarks.wrote(["acc_1"])
    with pytest.raises(bookmarks.Unknown):
        await bookmarks.furthest(["acc_1", bookmarks.THE_LOG])
    assert await bookmarks.furthest(["acc_2", bookmarks.THE_LOG]) == 0


@pytest.mark.usefixtures("redis")
async def test_what_may_have_got_its_place_in_the_log_is_owed_to_whoever_reads_it_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bookmarks, "MUTE_SECONDS", PATIENCE_SECONDS)  # nothing is marked again while the test lasts
    there = await Deployment.make()
    deal = await there.propose()

    async def hanging_up(connection: database.Connection, _: object) -> None:
        await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(database.AWAY):
        await log.sequence(on_batch=hanging_up)
    for name in (deal.client.account_id, deal.freelancer.account_id, bookmarks.THE_LOG):
        with pytest.raises(bookmarks.Unknown):
            await bookmarks.furthest([name or ""])
    assert await bookmarks.furthest(["acc_2"]) == 0


async def test_what_is_owed_is_marked_when_redis_answers_again(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bookmarks, "MUTE_SECONDS", 0.05)
    async with hiccup(redis, monkeypatch):
        written = await database.fetch_value(bookmarks.WRITTEN)
        await bookmarks.wrote(["acc_1"])
        with pytest.raises(bookmarks.Unknown):
            await bookmarks.furthest(["acc_1"])
    await there_is(redis, "earnest:written:acc_1")
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (found := await known("acc_1")) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert found >= written


async def test_if_too_much_is_owed_to_be_remembered_nobody_reads_from_the_standby(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bookmarks, "MUTE_SECONDS", 0.05)
    monkeypatch.setattr(bookmarks, "OWED_MAX", 1)
    async with hiccup(redis, monkeypatch):
        await bookmarks.wrote(["acc_1", "acc_2"])
        assert await known("acc_3") is None
    await there_is(redis, "earnest:written:unsettled")
    assert await known("acc_3") is None


async def test_a_redis_that_comes_back_with_what_it_knew_a_while_ago_is_not_believed(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for waits in ("ANSWER_SECONDS", "MARK_SECONDS"):
        monkeypatch.setattr(bookmarks, waits, PATIENCE_SECONDS)
    monkeypatch.setattr(bookmarks, "KEPT_SECONDS", 3600.0)
    with TemporaryDirectory(prefix="earnest-", dir="/tmp") as folder:
        engine = EmbeddedRedis(sockets=Path(folder), log=tmp_path / "log", record=Record(tmp_path / "processes.json"))
        await engine.start()
        try:
            await remember(engine.url)
            await bookmarks.connect(engine.url)
            await bookmarks.wrote(["acc_1"])
            async with Redis.from_url(engine.url) as redis:
                await redis.save()
            first = await known("acc_1")
            assert first is not None
            await write_something()
            await bookmarks.wrote(["acc_1"])
            assert (await known("acc_1") or 0) > first

            await engine.stop()
            await engine.start()
            async with Redis.from_url(engine.url) as redis:
                assert await redis.get("earnest:written:acc_1") == str(first).encode(), "it is from before"
                assert await known("acc_1") is None
                await redis.delete("earnest:written:unsettled")
            assert await known("acc_1") == first, "after a while no standby is read that lacks what was lost"
        finally:
            await bookmarks.disconnect()
            await engine.stop()


async def test_a_redis_that_had_to_make_room_may_have_thrown_marks_out_and_is_not_believed(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for waits in ("ANSWER_SECONDS", "MARK_SECONDS"):
        monkeypatch.setattr(bookmarks, waits, PATIENCE_SECONDS)
    with TemporaryDirectory(prefix="earnest-", dir="/tmp") as folder:
        engine = EmbeddedRedis(sockets=Path(folder), log=tmp_path / "log", record=Record(tmp_path / "processes.json"))
        await engine.start()
        try:
            await remember(engine.url)
            await bookmarks.connect(engine.url)
            await bookmarks.wrote(["acc_1"])
            assert await known("acc_1") is not None
            async with Redis.from_url(engine.url) as redis:
                await throw_out_what_ends_soon(redis)
                assert not await redis.exists("earnest:written:acc_1")
                assert await known("acc_1") is None
                assert await redis.pttl("earnest:written:unsettled") > 0
        finally:
            await bookmarks.disconnect()
            await engine.stop()


async def test_a_mark_of_a_history_that_was_voided_is_replaced_by_what_is_written_now(redis: Redis) -> None:
    mark, kept_ms = "earnest:written:acc_1", round(bookmarks.KEPT_SECONDS * 1000)
    written = await database.fetch_value(bookmarks.WRITTEN)
    await redis.set(mark, written + 10**12, px=kept_ms // 2 - 1)
    await bookmarks.wrote(["acc_1"])
    assert written <= (await known("acc_1") or 0) < written + 10**12
    assert await redis.pttl(mark) > kept_ms // 2, "for as long as any other"


async def test_a_mark_of_a_moment_ago_that_lies_further_on_stays_and_lives_no_longer_for_it(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bookmarks, "KEPT_SECONDS", 3600.0)
    written = await database.fetch_value(bookmarks.WRITTEN)
    await redis.set("earnest:written:acc_1", written + 10**12, px=3_000_000)
    await bookmarks.wrote(["acc_1"])
    assert await known("acc_1") == written + 10**12
    assert await redis.pttl("earnest:written:acc_1") <= 3_000_000


async def throw_out_what_ends_soon(redis: Redis) -> None:
    """Have no room any more but by forgetting, for a moment."""
    await redis.config_set("maxmemory-policy", "volatile-ttl")
    await redis.config_set("maxmemory", 1)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (await redis.info("stats"))["evicted_keys"]:
            with contextlib.suppress(ResponseError):  # nothing that may be forgotten is left
                await redis.set("earnest:test", "x")
    await redis.config_set("maxmemory", 0)


async def write_something() -> None:
    await database.execute("SELECT pg_logical_emit_message(false, 'test', 'x', true)")


async def known(name: str) -> int | None:
    """Up to where it has written; `None` if that can't be told."""
    try:
        return await bookmarks.furthest([name])
    except bookmarks.Unknown:
        return None
