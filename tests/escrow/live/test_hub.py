"""The hub keeps little, rests when nobody is there, and goes on when the database comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from structlog.contextvars import bound_contextvars

from escrow import log
from escrow.access import Actor
from escrow.accounts.authentication import lives
from escrow.live import hub as hubs
from escrow.live import occurrences
from escrow.live.hub import Hub
from escrow.live.key_lifetimes import Ended, Ending, Viewer
from escrow.live.reader import Reader
from escrow.traces import PROCESS
from tests.api.live.serving import until
from tests.factories import Deal, Deployment
from tests.patience import PATIENCE_SECONDS
from tests.written import Written, written


@asynccontextmanager
async def _connected(hub: Hub, actor: Actor) -> AsyncIterator[Viewer]:
    """Somebody without a key of the database: watching keys is tested over sockets."""
    async with hub.connected(replace(actor, key_id=None), lambda _: None) as viewer:
        yield viewer


async def _log_all() -> int:
    while await log.sequence():
        pass
    return await log.last_position()


async def _deal() -> tuple[Deployment, Deal]:
    there = await Deployment.make()
    deal = await there.propose("10.00")
    await _log_all()
    return there, deal


async def test_the_window_is_bounded_and_whoever_comes_from_before_it_replays(database: str) -> None:
    there, deal = await _deal()
    hub = Hub(poll_seconds=0.02, window=3)
    async with _connected(hub, there.client) as viewer:
        start = hub.position
        await deal.accept()
        await deal.confirm(await deal.fund())
        last = await _log_all()
        await until(lambda: hub.position == last)
        await until(lambda: len(hub._window) == 3)
        reader = Reader(hub, viewer, after=start)
        assert not hub.attach(reader)
        heard = [(await reader.next()).position for _ in range(last - start)]
        assert heard == list(range(start + 1, last + 1))
        await deal.submit()
        last = await _log_all()
        assert (await reader.next()).position == last
        assert reader.is_live
        reader.close()
    assert hub.readers == 0


async def test_of_many_events_for_many_readers_the_hub_tells_some_at_a_time(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With thousands of readers all in one turn of the loop would keep everybody waiting for seconds."""
    monkeypatch.setattr(hubs, "TOLD_AT_ONCE", 50)
    there, deal = await _deal()
    hub = Hub(poll_seconds=0.02)
    turns = [0]
    take = Hub._take

    def taking(self: Hub, occurrence: occurrences.Occurrence) -> int:
        told = take(self, occurrence)
        turns[-1] += told
        return told

    async def turning() -> None:
        while True:
            turns.append(0)
            await asyncio.sleep(0)

    monkeypatch.setattr(Hub, "_take", taking)
    async with _connected(hub, there.client) as viewer:
        readers = [Reader(hub, viewer, after=hub.position) for _ in range(40)]
        for reader in readers:
            assert reader.go_live()
        counting = asyncio.ensure_future(turning())
        await deal.accept()
        await deal.confirm(await deal.fund())
        last = await _log_all()
        await until(lambda: hub.position == last)
        await until(lambda: all(reader.behind == readers[0].behind > 3 for reader in readers))
        counting.cancel()
        for reader in readers:
            reader.close()
    assert sum(turns) > 3 * 40
    assert max(turns) <= 50 + 40


async def test_the_window_forgets_after_seconds_since_words_may_be_erased(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "WINDOW_SECONDS", PATIENCE_SECONDS)
    there, deal = await _deal()
    hub = Hub(poll_seconds=0.02)
    async with _connected(hub, there.client):
        await deal.accept()
        await _log_all()
        await until(lambda: len(hub._window) == 1)
        monkeypatch.setattr(hubs, "WINDOW_SECONDS", 0.1)  # not before it was seen there
        await until(lambda: not hub._window)
        assert hub._window_bytes == 0


async def test_the_hub_rests_while_nobody_is_there_and_begins_at_the_end_again(database: str) -> None:
    there, deal = await _deal()
    hub = Hub(poll_seconds=0.02)
    async with _connected(hub, there.client), _connected(hub, there.freelancer):
        assert hub._task is not None
    await until(lambda: hub._task is None)
    await deal.accept()
    last = await _log_all()
    async with _connected(hub, there.client) as viewer:
        assert hub.position == last
        reader = Reader(hub, viewer, after=last - 1)
        assert (await reader.next()).event.type == "contract.accepted"
        reader.close()


async def test_streams_wait_for_a_database_that_is_away_and_go_on(
    database: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    there, deal = await _deal()
    hub = Hub(poll_seconds=0.02)
    following = occurrences.following
    failures = 0

    async def failing(**arguments: Any) -> Any:
        nonlocal failures
        if failures < 3:
            failures += 1
            raise ConnectionRefusedError("away") if failures < 3 else RuntimeError("a fault of ours")
        return await following(**arguments)

    async with _connected(hub, there.client) as viewer:
        reader = Reader(hub, viewer, after=hub.position)
        hearing = asyncio.create_task(reader.next())
        monkeypatch.setattr(occurrences, "following", failing)
        await deal.accept()
        await _log_all()
        assert (await hearing).event.type == "contract.accepted"
        reader.close()
    assert failures == 3
    assert [record.levelname for record in caplog.records if record.name == hubs.__name__] == ["WARNING", "ERROR"]


async def test_what_the_hub_logs_has_a_trace_of_its_own_whoever_connected_first(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(**_: Any) -> Any:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(occurrences, "following", failing)
    there, _ = await _deal()
    with written() as lines, bound_contextvars(trace_id="the first request's"):
        async with _connected(Hub(poll_seconds=0.02), there.client):
            await until(lambda: len(_traces(lines)) > 1)
    assert len(set(_traces(lines))) == 1
    assert not {"the first request's", PROCESS.id} & {*_traces(lines)}


def _traces(lines: Written) -> list[str]:
    """Of what the hub has logged, and nobody else."""
    return [entry["trace_id"] for entry in lines.entries if entry["logger"] == hubs.__name__]


async def test_a_reader_that_is_behind_too_far_is_given_up_with_its_last_position(database: str) -> None:
    there, deal = await _deal()
    hub = Hub(poll_seconds=0.02)
    async with _connected(hub, there.client) as viewer:
        reader = Reader(hub, viewer, after=hub.position)
        hub.attach(reader)
        await deal.accept()
        await _log_all()
        first = await reader.next()
        (occurrence,) = await occurrences.following(after=first.position - 1, limit=1)
        for number in range(1, 600):
            reader.offer(replace(occurrence, position=first.position + number))
            assert reader.behind <= 500
        assert reader.is_too_slow
        assert reader.behind == 0
        with pytest.raises(Ended) as ended:
            await reader.next()
        assert ended.value.ending is Ending.TOO_SLOW
        assert reader.position == first.position
        reader.close()


async def test_a_key_that_does_not_live_has_no_lifetime(database: str) -> None:
    assert await lives(["key_unknown"]) == {}
    assert await lives([]) == {}
