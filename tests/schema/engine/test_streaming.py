"""Answers are poured into outlets in order, none lost and none twice, whoever is slow, leaves, or can't be answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from escrow.live.key_lifetimes import Ended, Ending
from schema.engine import shared_answer
from schema.engine.sources import Source, SourceEvent
from schema.engine.streaming import Groups, Payload, Stream, WithErrors, once_there


class Numbers(Source):
    """A source of whatever numbers it is told."""

    def __init__(self) -> None:
        self.waiting: list[int] = []
        self.ending: Ending | None = None
        self.flows = True
        self._on_news: Callable[[], None] | None = None
        self._has_come = asyncio.Event()

    def come(self, *numbers: int) -> None:
        self.waiting += numbers
        self._has_come.set()
        on_news, self._on_news = self._on_news, None
        if on_news is not None:
            asyncio.get_running_loop().call_soon(on_news)

    async def __anext__(self) -> SourceEvent:
        while (found := self.take()) is None:
            self._has_come.clear()
            await self._has_come.wait()
        return found

    @property
    def is_flowing(self) -> bool:
        return self.flows

    def take(self) -> SourceEvent | None:
        if self.waiting:
            return _event(self.waiting.pop(0))
        if self.ending is not None:
            raise Ended(self.ending)
        return None

    def tell(self, on_news: Callable[[], None]) -> None:
        self._on_news = on_news

    def close(self) -> None:
        self._on_news = None


def _event(number: int) -> SourceEvent:
    async def load(_: object) -> object:
        return number

    return SourceEvent(number, load, f"cur_{number}")


class Executed:
    """Executes by saying the number; some take a turn of the loop, some fail, some have nothing to say."""

    def __init__(self, *, silent: int = -1, failing: int = -1) -> None:
        self.numbers: list[int] = []
        self._silent = silent
        self._failing = failing

    async def __call__(self, source_event: SourceEvent) -> bytes | None:
        number = source_event.key
        assert isinstance(number, int)
        self.numbers.append(number)
        await asyncio.sleep(0)
        if number == self._failing:
            raise LookupError(number)
        return None if number == self._silent else b"%d" % number


class Outlet:
    """Takes so many answers, and then no more."""

    def __init__(self, room: int = 1_000) -> None:
        self.room = room
        self.came: list[bytes] = []

    def __call__(self, json: bytes) -> bool:
        if len(self.came) == self.room:
            return False
        self.came.append(json)
        return True


def _open(groups: Groups, source: Source, executed: Executed) -> Stream:
    return groups.open("the same", source, executed)


async def _turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_all_of_a_group_get_each_answer_in_order_while_their_tasks_sleep() -> None:
    groups, executed = Groups(), Executed(silent=2)
    sources, outlets = [Numbers() for _ in range(5)], [Outlet() for _ in range(5)]
    streams = [_open(groups, source, executed) for source in sources]
    pouring = [asyncio.ensure_future(one.pour(outlet)) for one, outlet in zip(streams, outlets, strict=True)]
    await asyncio.sleep(0)
    for source in sources:
        source.come(1, 2, 3)
    await _turns()
    for source in sources:
        source.come(4)
    await _turns()
    assert [outlet.came for outlet in outlets] == [[b"1", b"3", b"4"]] * 5, "2 has nothing to say"
    assert executed.numbers == [1, 2, 3, 4]
    assert not any(one.done() for one in pouring)
    for one in pouring:
        one.cancel()


async def test_nothing_is_made_anew_for_each_answer_of_a_stream() -> None:
    told: list[Callable[[], None]] = []

    class Noting(Numbers):
        def tell(self, on_news: Callable[[], None]) -> None:
            told.append(on_news)
            super().tell(on_news)

    source, outlet = Noting(), Outlet()
    pouring = asyncio.create_task(_open(Groups(), source, Executed()).pour(outlet))
    for number in range(3):
        await _turns()
        source.come(number)
    await _turns()
    pouring.cancel()
    assert outlet.came == [b"0", b"1", b"2"]
    assert len(told) == 4
    assert len({id(one) for one in told}) == 1


async def test_what_an_outlet_does_not_take_is_the_next_answer_and_then_it_pours_on() -> None:
    groups, executed, source, outlet = Groups(), Executed(), Numbers(), Outlet(room=2)
    stream, other = _open(groups, source, executed), _open(groups, Numbers(), executed)
    source.come(1, 2, 3, 4)
    await stream.pour(outlet)
    assert outlet.came == [b"1", b"2"]
    held = await stream.next()
    assert (held.json, held.cursor) == (b"3", "cur_3")
    outlet.room = 10
    pouring = asyncio.ensure_future(stream.pour(outlet))
    source.come(5)
    await _turns()
    assert outlet.came == [b"1", b"2", b"4", b"5"]
    pouring.cancel()
    other.close()


async def test_a_source_that_does_not_flow_is_asked_one_by_one() -> None:
    groups, executed, source, outlet = Groups(), Executed(), Numbers(), Outlet()
    stream = _open(groups, source, executed)
    source.flows = False
    source.come(1)
    await stream.pour(outlet)
    assert outlet.came == []
    assert (await stream.next()).json == b"1"


async def test_what_fails_is_raised_for_each_who_pours_and_for_nobody_else() -> None:
    groups, executed = Groups(), Executed(failing=2)
    sources, outlets = [Numbers() for _ in range(3)], [Outlet() for _ in range(3)]
    streams = [_open(groups, source, executed) for source in sources]
    pouring = [asyncio.ensure_future(one.pour(outlet)) for one, outlet in zip(streams, outlets, strict=True)]
    await asyncio.sleep(0)
    sources[0].come(1, 2)
    sources[1].come(1, 2)
    sources[2].come(1, 3)
    raised = await asyncio.wait_for(asyncio.gather(*pouring[:2], return_exceptions=True), 10)
    assert [type(one) for one in raised] == [LookupError, LookupError]
    await _turns()
    assert [outlet.came for outlet in outlets] == [[b"1"], [b"1"], [b"1", b"3"]]
    pouring[2].cancel()


async def test_the_end_of_a_source_comes_after_what_came_before_it() -> None:
    groups, executed, source, outlet = Groups(), Executed(), Numbers(), Outlet()
    stream = _open(groups, source, executed)
    pouring = asyncio.ensure_future(stream.pour(outlet))
    await asyncio.sleep(0)
    source.ending = Ending.CREDENTIALS
    source.come(1, 2)
    with pytest.raises(Ended):
        await asyncio.wait_for(pouring, 10)
    assert outlet.came == [b"1", b"2"]


async def test_who_leaves_while_an_answer_is_made_takes_nothing_from_the_others() -> None:
    groups, executed = Groups(), Executed()
    sources, outlets = [Numbers() for _ in range(2)], [Outlet() for _ in range(2)]
    streams = [_open(groups, source, executed) for source in sources]
    pouring = [asyncio.ensure_future(one.pour(outlet)) for one, outlet in zip(streams, outlets, strict=True)]
    await asyncio.sleep(0)
    for source in sources:
        source.come(1)
    while not executed.numbers:  # noqa: ASYNC110 - nobody else tells when it has begun
        await asyncio.sleep(0)
    pouring[0].cancel()
    streams[0].close()
    await _turns()
    assert [outlet.came for outlet in outlets] == [[], [b"1"]]
    pouring[1].cancel()
    streams[1].close()
    assert len(groups) == 0


async def test_many_are_told_in_parts_with_the_loop_between_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_answer, "TOLD_AT_ONCE", 3)
    groups, executed = Groups(), Executed()
    sources, outlet = [Numbers() for _ in range(8)], Outlet()
    pouring = [asyncio.ensure_future(_open(groups, source, executed).pour(outlet)) for source in sources]
    await asyncio.sleep(0)
    for source in sources:
        source.come(1)
    seen = []
    while len(outlet.came) < len(sources):
        await asyncio.sleep(0)
        seen.append(len(outlet.came))
    assert {3, 6, 8} <= set(seen)
    for one in pouring:
        one.cancel()


async def test_an_answer_waits_for_the_database_and_for_nothing_else() -> None:
    asked = 0

    async def make() -> bytes:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise ConnectionRefusedError("away")
        if asked == 3:
            raise LookupError(asked)
        return b"%d" % asked

    assert await once_there(make, lambda: None) == b"2"
    with pytest.raises(LookupError):
        await once_there(make, lambda: None)


async def test_whose_key_ended_while_the_database_was_away_hears_nothing_when_it_is_back() -> None:
    asked = 0

    async def make() -> bytes:
        nonlocal asked
        asked += 1
        raise ConnectionRefusedError("away")

    def check() -> None:
        raise Ended(Ending.CREDENTIALS)

    with pytest.raises(Ended):
        await once_there(make, check)
    assert asked == 1


async def test_an_answer_with_errors_has_no_cursor() -> None:
    assert Payload.of(b"1", "cur_1").cursor == "cur_1"
    assert Payload.of(WithErrors(b"1"), "cur_1") == Payload(b"1", None)
