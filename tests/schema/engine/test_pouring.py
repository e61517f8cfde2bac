"""Streams that lean on one another get each answer once and in order, whoever leaves, is blocked or ends, and whenever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar, copy_context
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from escrow.live.key_lifetimes import Ended, Ending
from schema.engine import pouring
from schema.engine.pouring import Chorus, Outlet, Pouring
from schema.engine.sources import Source, SourceEvent
from schema.engine.streaming import Groups, Stream

QUIET_TURNS: Final = 200
"""More turns of the loop than anything here takes."""


class Log:
    """Numbered events, of which sources are told; like the hub it can tell only of the last ones to whoever comes back."""

    def __init__(self) -> None:
        self.last = 0
        self.oldest = 1
        self.sources: list[Positions] = []
        self.taken = 0
        """How often a source took an event."""

    def happen(self) -> None:
        self.last += 1
        for source in tuple(self.sources):
            source.hear(self.last)

    def forget(self) -> None:
        """Only who is told already knows of what happened so far."""
        self.oldest = self.last + 1


class Positions(Source):
    """A source of all events of a log, or of every second one, which is told of them while it flows, and reads the others up."""

    def __init__(self, log: Log, *, step: int = 1) -> None:
        self.ended = False
        self._log = log
        self._step = step
        self._position = log.last
        self._waiting: list[int] = []
        self._is_live = False
        self._on_news: Callable[[], None] | None = None
        self._context = copy_context()
        self._has_come = asyncio.Event()

    def hear(self, number: int) -> None:
        if number % self._step:
            return
        self._waiting.append(number)
        self._has_come.set()
        on_news, self._on_news = self._on_news, None
        if on_news is not None:
            asyncio.get_running_loop().call_soon(on_news, context=self._context)

    async def __anext__(self) -> SourceEvent:
        while (found := self.take()) is None:
            if self._is_live:
                self._has_come.clear()
                await self._has_come.wait()
            else:
                await asyncio.sleep(0)
                self._waiting = self._after(self._position)
                self._live()
        return found

    @property
    def is_flowing(self) -> bool:
        if not self._is_live and self._position + 1 >= self._log.oldest:
            self._waiting = self._after(self._position)
            self._live()
        return self._is_live

    def take(self) -> SourceEvent | None:
        self.check()
        if not self._waiting:
            return None
        self._log.taken += 1
        self._position = self._waiting.pop(0)
        return _event(self._position)

    def tell(self, on_news: Callable[[], None]) -> None:
        self._on_news, self._context = on_news, copy_context()

    @property
    def seen(self) -> int | None:
        if not self._is_live:
            return None
        return self._waiting[0] - 1 if self._waiting else self._log.last

    def lean(self) -> None:
        assert not self._waiting, "who leans has nothing left to take"
        self._log.sources.remove(self)
        self._is_live = False

    def stand(self, after: int) -> None:
        assert not self._is_live
        assert after >= self._position, "nobody goes back"
        self._position = after
        _ = self.is_flowing

    def check(self) -> None:
        if self.ended:
            raise Ended(Ending.CREDENTIALS)

    def close(self) -> None:
        if self._is_live:
            self._log.sources.remove(self)

    def _live(self) -> None:
        self._is_live = True
        self._log.sources.append(self)

    def _after(self, position: int) -> list[int]:
        return [one for one in range(position + 1, self._log.last + 1) if not one % self._step]


def _event(number: int) -> SourceEvent:
    async def load(_: object) -> object:
        return number

    return SourceEvent(number, load, f"cur_{number}", number)


class Client:
    """Who reads a stream, as a socket does: what can't be poured is sent by its task, which waits while nothing can be sent."""

    def __init__(self, groups: Groups, log: Log, *, step: int = 1, failing: int = -1) -> None:
        self.began_after = log.last
        self.came: list[int] = []
        self.failed = False
        self.source = Positions(log, step=step)
        self._failing = failing
        self._writable = asyncio.Event()
        self._writable.set()
        self.stream: Stream = groups.open(("the same", step), self.source, self._executed)
        self.task = asyncio.create_task(self._read())

    def block(self) -> None:
        self._writable.clear()

    def unblock(self) -> None:
        self._writable.set()

    async def leave(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task
        self.stream.close()  # a task that had never begun couldn't

    async def _executed(self, source_event: SourceEvent) -> bytes | None:
        number = source_event.key
        assert isinstance(number, int)
        for _ in range(number % 3):
            await asyncio.sleep(0)
        if number == self._failing:
            raise LookupError(number)
        return b"%d" % number

    def _outlet(self, json: bytes) -> bool:
        if self._writable.is_set():
            self.came.append(int(json))
            return True
        return False

    async def _read(self) -> None:
        try:
            while True:
                await self.stream.pour(self._outlet)
                payload = await self.stream.next()
                await self._writable.wait()
                self.came.append(int(payload.json))
        except (Ended, LookupError):
            self.failed = True
        finally:
            self.stream.close()


async def _turns(count: int = QUIET_TURNS) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


_steps = st.lists(
    st.one_of(
        st.tuples(st.just("happen"), st.integers(1, 3)),
        st.tuples(st.just("turns"), st.integers(1, 6)),
        st.tuples(st.sampled_from(["open", "open sparse"]), st.just(0)),
        st.tuples(st.sampled_from(["leave", "end", "block", "unblock"]), st.integers(0, 9)),
        st.tuples(st.just("forget"), st.just(0)),
    ),
    max_size=60,
)


@given(st.integers(1, 6), _steps)
@example(6, [("turns", 6), ("happen", 1), ("turns", 3), ("leave", 0), ("turns", 1), ("leave", 0), ("happen", 1)])
@example(6, [("turns", 6), ("happen", 1), ("turns", 6), ("happen", 1), ("forget", 0), ("leave", 0), ("turns", 6)])
@example(4, [("turns", 6), ("block", 2), ("happen", 1), ("turns", 6), ("forget", 0), ("happen", 2), ("unblock", 2)])
def test_everybody_gets_everything_once_and_in_order(clients: int, steps: list[tuple[str, int]]) -> None:
    asyncio.run(_played(clients, steps))


async def _played(count: int, steps: list[tuple[str, int]]) -> None:
    patch = pytest.MonkeyPatch()
    patch.setattr(pouring, "TOLD_AT_ONCE", 2)
    groups, log = Groups(), Log()
    clients = [Client(groups, log) for _ in range(count)]
    gone: dict[Client, int] = {}
    for step, number in steps:
        there = [one for one in clients if one not in gone]
        chosen = there[number % len(there)] if there else None
        if step == "happen":
            for _ in range(number):
                log.happen()
        elif step == "turns":
            await _turns(number)
        elif step == "forget":
            log.forget()
        elif step.startswith("open"):
            clients.append(Client(groups, log, step=2 if step == "open sparse" else 1))
        elif chosen is not None and step == "leave":
            gone[chosen] = log.last
            await chosen.leave()
        elif chosen is not None and step == "end":
            gone[chosen] = log.last
            chosen.source.ended = True
        elif chosen is not None:
            chosen.block() if step == "block" else chosen.unblock()
    for one in clients:
        one.unblock()
    await _turns()
    try:
        for one in clients:
            wanted = one.source._after(one.began_after)
            if one in gone:
                assert one.came == wanted[: len(one.came)]
                assert not one.came or one.came[-1] <= gone[one]
            else:
                assert one.came == wanted
    finally:
        for one in clients:
            await one.leave()
        patch.undo()
    assert len(groups) == 0
    assert log.sources == []


async def test_one_of_many_hears_for_all() -> None:
    groups, log = Groups(), Log()
    clients = [Client(groups, log) for _ in range(50)]
    await _turns()
    log.happen()
    await _turns()
    taken = log.taken
    assert len(log.sources) == 1, "the leader alone is told"
    log.happen()
    await _turns()
    assert log.taken == taken + 1
    assert [one.came for one in clients] == [[1, 2]] * 50
    for one in clients:
        await one.leave()


async def test_when_the_leader_leaves_another_one_hears_for_all() -> None:
    groups, log = Groups(), Log()
    clients = [Client(groups, log) for _ in range(20)]
    await _turns()
    for number in range(10):
        log.happen()
        await _turns()
        (leader,) = log.sources
        (first,) = [one for one in clients if one.source is leader]
        await first.leave()
        clients.remove(first)
        await _turns()
        assert len(log.sources) == 1
        assert all(one.came == list(range(1, number + 2)) for one in clients)
    for one in clients:
        await one.leave()


async def test_who_goes_on_in_the_leaders_place_does_so_as_itself() -> None:
    whose: ContextVar[str] = ContextVar("whose", default="nobody's")
    executed: list[str] = []

    class Named(Client):
        async def _executed(self, source_event: SourceEvent) -> bytes | None:
            executed.append(whose.get())
            return await super()._executed(source_event)

    def open_as(name: str) -> Client:
        whose.set(name)
        return Named(groups, log)

    groups, log = Groups(), Log()
    first, second, third = [copy_context().run(open_as, name) for name in ("first", "second", "third")]
    await _turns()
    log.happen()
    await _turns()
    await first.leave()
    log.happen()
    await _turns()
    assert executed == ["first", "second"]
    assert second.came == third.came == [1, 2]
    for one in (second, third):
        await one.leave()


async def test_when_the_leader_leaves_between_two_parts_those_who_lack_the_answer_get_it_and_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pouring, "TOLD_AT_ONCE", 2)
    groups, log = Groups(), Log()
    clients = [Client(groups, log) for _ in range(12)]
    await _turns()
    (leader,) = log.sources
    first = next(one for one in clients if one.source is leader)
    log.happen()
    while sum(bool(one.came) for one in clients) < 5:  # noqa: ASYNC110 - nobody else tells how many have it
        await asyncio.sleep(0)
    first.task.cancel()
    log.happen()
    await _turns()
    others = [one for one in clients if one is not first]
    assert first.came == [1]
    assert [one.came for one in others] == [[1, 2]] * 11
    for one in clients:
        await one.leave()


class Resting:
    """A stream with nothing to take, which has seen so much."""

    def __init__(self, seen: int) -> None:
        self.seen: int | None = seen
        self.leans = False

    def take(self) -> None:
        return None

    def tell(self, on_news: Callable[[], None]) -> None:
        """Nothing comes."""

    def give(self, outlet: Outlet, json: bytes, cursor: str | None) -> bool:
        raise AssertionError((outlet, json, cursor))

    def check(self) -> None:
        """It lives."""

    def lean(self) -> None:
        self.leans = True

    def stand(self, after: int) -> None:
        self.seen, self.leans = after, False


async def test_who_has_seen_more_than_the_leader_leans_once_the_leader_has_seen_it_too() -> None:
    chorus, streams = Chorus(), [Resting(5), Resting(6)]
    over = asyncio.get_running_loop().create_future()
    leader, quicker = [Pouring(one, lambda _: True, over, chorus) for one in streams]
    leader()
    quicker()
    assert [one.leans for one in streams] == [False, False]
    streams[0].seen = 6
    leader()
    await asyncio.sleep(0)
    assert [one.leans for one in streams] == [False, True]


async def test_whose_outlet_takes_nothing_more_hears_for_itself_and_keeps_nobody() -> None:
    groups, log = Groups(), Log()
    clients = [Client(groups, log) for _ in range(5)]
    await _turns()
    blocked = next(one for one in clients if one.source not in log.sources)
    blocked.block()
    for _ in range(3):
        log.happen()
    await _turns()
    assert [one.came for one in clients if one is not blocked] == [[1, 2, 3]] * 4
    assert blocked.came == []
    assert blocked.source in log.sources, "it falls behind by itself, as any slow reader does"
    blocked.unblock()
    await _turns()
    assert blocked.came == [1, 2, 3]
    for one in clients:
        await one.leave()


async def test_whose_key_has_ended_gets_nothing_more_though_it_leans() -> None:
    groups, log = Groups(), Log()
    clients = [Client(groups, log) for _ in range(5)]
    await _turns()
    ended = next(one for one in clients if one.source not in log.sources)
    ended.source.ended = True
    log.happen()
    await _turns()
    assert ended.came == []
    assert ended.failed
    assert [one.came for one in clients if one is not ended] == [[1]] * 4
    for one in clients:
        await one.leave()


async def test_who_was_closed_while_it_leans_or_leads_hears_nothing_more() -> None:
    groups, log = Groups(), Log()
    clients = [Client(groups, log) for _ in range(4)]
    await _turns()
    (leader,) = log.sources
    first = next(one for one in clients if one.source is leader)
    other = next(one for one in clients if one is not first)
    for closed in (other, first):
        closed.stream.close()
        await closed.leave()
    log.happen()
    await _turns()
    assert [one.came for one in clients if one in (first, other)] == [[], []]
    assert [one.came for one in clients if one not in (first, other)] == [[1], [1]]
    assert len(log.sources) == 1
    for one in clients:
        await one.leave()


async def test_what_fails_ends_all_who_asked_for_it() -> None:
    groups, log = Groups(), Log()
    clients = [Client(groups, log, failing=2) for _ in range(5)]
    await _turns()
    log.happen()
    log.happen()
    log.happen()
    await _turns()
    assert [one.came for one in clients] == [[1]] * 5
    assert all(one.failed for one in clients)


async def test_who_lies_too_far_back_when_the_leader_leaves_reads_on_by_itself() -> None:
    groups, log = Groups(), Log()
    clients = [Client(groups, log) for _ in range(5)]
    await _turns()
    (leader,) = log.sources
    log.happen()
    log.forget()
    await next(one for one in clients if one.source is leader).leave()
    log.happen()
    await _turns()
    assert [one.came for one in clients if one.source is not leader] == [[1, 2]] * 4
    for one in clients:
        await one.leave()
