"""The sequencer beside a dispatcher in one process: what is leased to that process is sent or given back."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterable

import pytest

from escrow import bell, bookmarks, cuts, database, log
from tests.factories import Deployment, make_endpoint
from tests.patience import PATIENCE_SECONDS
from tests.workers.process import until
from webhooks.delivery import dispatcher as dispatching
from webhooks.delivery.dispatcher import Dispatcher
from webhooks.request.answers import Answer
from workers import sequencer

pytestmark = pytest.mark.usefixtures("database")


class Nobody:
    """A sender that has nothing to send."""

    async def post(self, *, url: str, headers: dict[str, str], body: bytes) -> Answer:
        raise AssertionError(f"a worker that stops sent something to {url}")


async def test_a_worker_that_is_stopped_while_a_batch_is_committed_gives_back_what_is_leased_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatching, "STOP_SECONDS", PATIENCE_SECONDS)
    there = await Deployment.make()
    await make_endpoint(there.client)
    await there.propose()
    committed, may_end = asyncio.Event(), asyncio.Event()

    async def wrote(_: Iterable[str | None]) -> None:
        committed.set()
        await may_end.wait()

    monkeypatch.setattr(bookmarks, "wrote", wrote)
    worker = Dispatcher(Nobody())
    pumps = [asyncio.create_task(work) for work in (sequencer.pump(worker), worker.claim_due(), worker.hand_back())]
    await committed.wait()
    assert await database.fetch_value("SELECT count(*) FROM lanes WHERE token IS NOT NULL") > 0
    for pump in pumps:
        pump.cancel()
    may_end.set()
    await asyncio.wait(pumps)
    assert await database.fetch_value("SELECT bool_and(token IS NULL AND due_at <= clock_timestamp()) FROM lanes")
    assert await database.fetch("SELECT FROM delivery_attempts") == []


async def test_no_batch_waits_for_the_ring_of_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis hangs, and what comes is placed all the same."""
    monkeypatch.setattr(bell, "RING_TIMEOUT_SECONDS", 2 * PATIENCE_SECONDS)
    monkeypatch.setattr(sequencer, "POLL_SECONDS", 0.02)
    there = await Deployment.make()
    asked, closing = asyncio.Event(), asyncio.Event()

    async def hang(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await closing.wait()
        writer.close()

    with tempfile.TemporaryDirectory(prefix="earnest-", dir="/tmp") as folder:
        server = await asyncio.start_unix_server(hang, f"{folder}/hangs.sock")
        await bell.connect(f"unix://{folder}/hangs.sock")
        tasks = [asyncio.create_task(sequencer.pump(Dispatcher(Nobody())))]
        try:
            await asked.wait()
            await until(_all_is_placed)
            tasks.append(asyncio.create_task(_propose(there)))  # which waits for its ring, too
            await until(_a_contract_is_placed)
            assert not tasks[1].done()
        finally:
            closing.set()
            server.close()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await bell.disconnect()


async def _propose(there: Deployment) -> None:
    await there.propose()


async def _all_is_placed() -> bool:
    return await log.waiting() == 0


async def _a_contract_is_placed() -> bool:
    return bool(await database.fetch_value("SELECT EXISTS (SELECT FROM log_positions WHERE stream_id LIKE 'ctr%')"))


async def test_what_rang_before_the_look_is_no_reason_for_another() -> None:
    there = await Deployment.make()
    wakeups = bell.Wakeups()
    async with database.alone(cuts.SEQUENCER_LOCK):
        placing = asyncio.create_task(sequencer._place(Dispatcher(Nobody()), wakeups))
        await until(_it_waits_for_the_lock)
        await there.propose()
        wakeups.wake()
    assert await placing > 0
    assert await log.waiting() == 0
    assert not await wakeups.wait(0)


async def _it_waits_for_the_lock() -> bool:
    return bool(
        await database.fetch_value("SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)")
    )
