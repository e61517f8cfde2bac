"""Visits the couplings that are due, several at once: asks Earnest's feed what is new, and plays rounds until both sides agree.

A tool is read when something is new in Earnest, when it rang, and every few minutes besides; so nothing depends on a ring.
Any number of processes may do this side by side, beside a deployment's database or elsewhere with one of their own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from connectors import couplings, merging, opening, rounds
from connectors.couplings import Coupling, Leased, LeaseLost
from connectors.home import EarnestContract
from connectors.port import BeyondTheLog, Tool, ToolError
from escrow import bell, database, process_log
from escrow.bell import Topic
from escrow.handing_back import hand_back

AT_ONCE: Final = 8
"""Couplings under way in one process: they mostly wait for tools."""

FEED_SECONDS: Final = 3.0
"""How late something new in Earnest is noticed at most."""

ROUNDS_MAX: Final = 5
"""In one visit; who isn't settled by then has its turn again at once, after the others."""

LOOK_SECONDS_MAX: Final = 5.0
"""How late a coupling is noticed that another process set up, if no ring came through."""

HOLD_SECONDS: Final = couplings.LEASE_SECONDS / 3
"""So often a visit renews its lease, whatever it waits for."""

PAUSE_SECONDS: Final = 5.0
PAUSE_SECONDS_MAX: Final = 600.0
"""After failures: twice as long each time."""

PASSING: Final = (ToolError, merging.TooManyMissing, *database.AWAY)
"""What ends a visit and may be over the next time; a database that is back before the visit is given back, too."""

Opens = Callable[[Coupling], Tool]
T = TypeVar("T")

_log = logging.getLogger(__name__)


async def pump(opens: Opens = opening.tool_of) -> None:
    """Visit what is due, for ever. Who is stopped ends its visits and gives back what they were at."""
    visits = _Visits(opens)
    await couplings.retry_faults()
    try:
        with bell.listen(Topic.COUPLINGS) as wakeups:
            while True:
                await visits.begin()
                await wakeups.wait(await _pause_seconds(visits.count))
    finally:
        await visits.end()


class _Visits:
    """Those that this process is at."""

    def __init__(self, opens: Opens) -> None:
        self._opens = opens
        self._under_way: dict[asyncio.Task[None], Leased] = {}
        self._claiming: asyncio.Task[list[Leased]] | None = None

    @property
    def count(self) -> int:
        return len(self._under_way)

    async def begin(self) -> None:
        """Begin as many of those that are due as there is room for, and let go of those that ended."""
        if self.count < AT_ONCE:
            self._claiming = asyncio.create_task(couplings.lease(AT_ONCE - self.count))
            for leased in await asyncio.shield(self._claiming):
                self._under_way[asyncio.create_task(visit(leased, self._opens))] = leased
            self._claiming = None
        for task in [task for task in self._under_way if task.done()]:
            del self._under_way[task]
            task.result()

    async def end(self) -> None:
        """End them and give back what they leased, if the database is there to take it."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await hand_back(self._give_back_claimed, self._give_back)

    async def _give_back_claimed(self) -> None:
        """What a claim took that was cut off in the middle of it: nobody has begun with these."""
        if self._claiming is not None:
            await couplings.give_back(await self._claiming)

    async def _give_back(self) -> None:
        if self._under_way:
            await couplings.give_back(list(self._under_way.values()))


async def _pause_seconds(under_way: int) -> float:
    due = await couplings.next_due_seconds()
    least = 0.2 if under_way >= AT_ONCE else 0.05
    return LOOK_SECONDS_MAX if due is None else min(max(due, least), LOOK_SECONDS_MAX)


async def visit(leased: Leased, opens: Opens = opening.tool_of) -> None:
    """One visit of a coupling; whatever fails is noted and tried again later."""
    process_log.begin(coupling=leased.coupling.name)
    try:
        await _visit(leased, opens)
    except LeaseLost:
        _log.info("another process is at the coupling now")
    except PASSING as error:
        pause = min(PAUSE_SECONDS * 2 ** min(leased.failures, 10), PAUSE_SECONDS_MAX)
        _log.warning("a coupling waits", extra={"error": error, "pause": pause})
        await couplings.fail(leased, problem=str(error) or type(error).__name__, pause_seconds=pause)
    except Exception as error:  # noqa: BLE001 - one coupling must not end the others
        _log.exception("a visit failed")
        await couplings.fail(leased, problem=f"{couplings.FAULT}{error!r}", pause_seconds=PAUSE_SECONDS_MAX)


@dataclass(slots=True)
class _Visit:
    """What a visit found and did."""

    cursor: str
    was_cut: bool
    reads: bool
    writes: int = 0
    strays: int = 0
    problem: str | None = None
    is_settled: bool = True
    pause_seconds: float = FEED_SECONDS


async def _visit(leased: Leased, opens: Opens) -> None:
    coupling, memory = leased.coupling, couplings.Pairs(leased)
    home, tool = opening.home_of(coupling), opens(coupling)
    try:
        done = await _held(memory, _rounds(leased, home, tool, memory))
    finally:
        await home.close()
        await tool.close()
    await couplings.settle(
        leased,
        cursor=done.cursor,
        has_read=done.reads,
        is_settled=done.is_settled,
        writes=done.writes,
        problem=done.problem,
        pause_seconds=done.pause_seconds,
    )
    if done.was_cut:
        _log.warning("both sides were compared anew", extra={"writes": done.writes, "left_alone": done.strays})
    elif done.writes:
        _log.info("both sides were made to agree", extra={"writes": done.writes, "settled": done.is_settled})


async def _rounds(leased: Leased, home: EarnestContract, tool: Tool, memory: couplings.Pairs) -> _Visit:
    """Rounds until both sides agree, or it is the others' turn."""
    cursor, is_new, was_cut = await _news(leased, home, memory)
    visit = _Visit(cursor, was_cut, reads=is_new or leased.is_asked)
    for _ in range(ROUNDS_MAX if visit.reads else 0):
        tally = await rounds.play(home, tool, memory, leased.coupling.treaty, believes=leased.believes)
        visit.writes += tally.writes
        visit.problem, visit.is_settled = tally.problem or visit.problem, tally.is_settled
        visit.strays = tally.strays
        visit.pause_seconds = FEED_SECONDS if tally.is_settled else 0.0 if tally.writes else PAUSE_SECONDS
        if tally.is_settled or (tally.awaited and not tally.writes):
            break
    if not visit.is_settled and not was_cut:
        visit.cursor = leased.cursor or cursor  # what it told is not done with
    return visit


async def _held(memory: couplings.Pairs, work: Coroutine[Any, Any, T]) -> T:
    """What comes of the work, under a lease that is renewed however long a side takes to answer.

    Raises `LeaseLost`, and ends the work, once it can't be renewed: it would write beside whoever has it now.
    """
    doing, holding = asyncio.create_task(work), asyncio.create_task(_hold(memory))
    both = (doing, holding)
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            await holding
        return await doing
    finally:
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)


async def _hold(memory: couplings.Pairs) -> None:
    while True:
        await asyncio.sleep(HOLD_SECONDS)
        await memory.hold()


async def _news(leased: Leased, home: EarnestContract, memory: couplings.Pairs) -> tuple[str, bool, bool]:
    """Where the feed stands, whether it told anything new, and whether it is another one, so that all is compared anew."""
    try:
        return *(await home.news(leased.cursor)), False
    except BeyondTheLog as cut:
        _log.warning("Earnest's log is another one: both sides are compared anew", extra={"error": cut})
    cursor, _ = await home.news(None)  # first: what changes meanwhile comes after it
    await rounds.begin_anew(home, memory)
    await couplings.began_anew(leased, cursor)
    return cursor, True, True
