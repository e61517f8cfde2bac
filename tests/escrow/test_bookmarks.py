"""What was written is marked for readers of a standby, or it isn't; either way whoever wrote it hears that it is done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from escrow import bookmarks, database
from tests.patience import PATIENCE_SECONDS

FULL = asyncpg.TooManyConnectionsError("remaining connection slots are reserved")


@pytest_asyncio.fixture(loop_scope="session")
async def redis(database: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Redis]:
    """The Redis that this process puts its marks in, which has known everything for long; nothing is late in it."""
    monkeypatch.setattr(bookmarks, "ANSWER_SECONDS", PATIENCE_SECONDS)
    await bookmarks.connect(redis_url)
    async with Redis.from_url(redis_url) as redis:
        await redis.set("earnest:written:since", "1")
        yield redis
    await bookmarks.disconnect()


async def test_what_is_done_is_done_though_postgresql_has_no_room_to_say_how_far(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object) -> None:
        raise FULL

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
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await redis.exists("earnest:written:acc_1"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
