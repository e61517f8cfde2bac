"""The sequencer beside a dispatcher in one process: what is leased to that process is sent or given back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from escrow import bookmarks, database
from tests.factories import Deployment, make_endpoint
from tests.patience import PATIENCE_SECONDS
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
