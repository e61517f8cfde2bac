"""Of one owner only so many are under way at once, in the order in which they came, and nobody else waits for them."""

from __future__ import annotations

import asyncio

from escrow.turns import Turns


class Work:
    """Goes on until it is told to end."""

    def __init__(self, turns: Turns, owner: str) -> None:
        self.has_begun = self.has_waited = False
        self.may_end = asyncio.Event()
        self.task = asyncio.ensure_future(self._run(turns, owner))

    async def _run(self, turns: Turns, owner: str) -> None:
        async with turns.of(owner) as self.has_waited:
            self.has_begun = True
            await self.may_end.wait()

    async def end(self) -> None:
        self.may_end.set()
        await self.task


async def _settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_one_owners_others_wait_in_line_and_another_owner_does_not() -> None:
    turns = Turns(2)
    ours = [Work(turns, "a") for _ in range(5)]
    theirs = Work(turns, "b")
    await _settled()
    assert [work.has_begun for work in ours] == [True, True, False, False, False]
    assert theirs.has_begun
    await ours[1].end()
    await _settled()
    assert [work.has_begun for work in ours] == [True, True, True, False, False]
    for work in (*ours, theirs):
        await work.end()
    assert [work.has_waited for work in (*ours, theirs)] == [False, False, True, True, True, False]
    assert not turns._under_way
    assert not turns._waiting


async def test_whoever_leaves_the_line_or_the_work_leaves_no_place_taken() -> None:
    turns = Turns(1)
    first, second, third = (Work(turns, "a") for _ in range(3))
    await _settled()
    second.task.cancel()
    await _settled()
    first.task.cancel()
    await _settled()
    assert third.has_begun
    await third.end()
    fourth, fifth = (Work(turns, "a") for _ in range(2))
    await _settled()
    fourth.may_end.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    fifth.task.cancel()  # it may have been just its turn
    await _settled()
    last = Work(turns, "a")
    await _settled()
    assert last.has_begun
    await last.end()
    assert not turns._under_way
    assert not turns._waiting
