"""Visits the couplings that are due, several at once: asks Earnest's feed what is new, and plays rounds until both sides agree.

A tool is read when something is new in Earnest, when it rang, and every few minutes besides; so nothing depends on a ring.
Any number of processes may do this side by side, beside a deployment's database or elsewhere with one of their own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from connectors import couplings, merging, opening, rounds
from connectors.couplings import Coupling, Leased, LeaseLost
from connectors.home import EarnestContract
from connectors.port import BeyondTheLog, Tool, ToolError
from escrow import bell, process_log
from escrow.bell import Topic

AT_ONCE: Final = 8
"""Couplings under way in one process: they mostly wait for tools."""

FEED_SECONDS: Final = 3.0
"""How late something new in Earnest is noticed at most."""

ROUNDS_MAX: Final = 5
"""In one visit; who isn't settled by then has its turn again at once, after the others."""

LOOK_SECONDS_MAX: Final = 5.0
"""How late a coupling is noticed that another process set up, if no ring came through."""

PAUSE_SECONDS: Final = 5.0
PAUSE_SECONDS_MAX: Final = 600.0
"""After failures: twice as long each time."""

Opens = Callable[[Coupling], Tool]

_log = logging.getLogger(__name__)


async def pump(opens: Opens = opening.tool_of) -> None:
    """Visit what is due, for ever."""
    under_way: set[asyncio.Task[None]] = set()
    await couplings.retry_faults()
    try:
        with bell.listen(Topic.COUPLINGS) as wakeups:
            while True:
                for leased in await couplings.lease(AT_ONCE - len(under_way)) if len(under_way) < AT_ONCE else ():
                    under_way.add(asyncio.create_task(visit(leased, opens)))
                for task in [task for task in under_way if task.done()]:
                    under_way.remove(task)
                    task.result()
                await wakeups.wait(await _pause_seconds(len(under_way)))
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


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
    except (ToolError, merging.TooManyMissing) as error:
        pause = min(PAUSE_SECONDS * 2 ** min(leased.failures, 10), PAUSE_SECONDS_MAX)
        _log.warning("a coupling waits", extra={"error": error, "pause": pause})
        await couplings.fail(leased, problem=str(error), pause_seconds=pause)
    except Exception as error:  # noqa: BLE001 - one coupling must not end the others
        _log.exception("a visit failed")
        await couplings.fail(leased, problem=f"{couplings.FAULT}{error!r}", pause_seconds=PAUSE_SECONDS_MAX)


async def _visit(leased: Leased, opens: Opens) -> None:
    coupling, memory = leased.coupling, couplings.Pairs(leased)
    home, tool = opening.home_of(coupling), opens(coupling)
    try:
        cursor, is_new, was_cut = await _news(leased, home, memory)
        reads, writes, strays, problem, is_settled = is_new or leased.is_asked, 0, 0, None, True
        pause = FEED_SECONDS
        for _ in range(ROUNDS_MAX if reads else 0):
            tally = await rounds.play(home, tool, memory, coupling.treaty, believes=leased.believes)
            writes += tally.writes
            problem, is_settled = tally.problem or problem, tally.is_settled
            strays = tally.strays
            pause = FEED_SECONDS if is_settled else 0.0 if tally.writes else PAUSE_SECONDS
            if is_settled or (tally.awaited and not tally.writes):
                break
        if not is_settled and not was_cut:
            cursor = leased.cursor or cursor  # what it told is not done with
    finally:
        await home.close()
        await tool.close()
    await couplings.settle(
        leased, cursor=cursor, has_read=reads, is_settled=is_settled, writes=writes, problem=problem, pause_seconds=pause
    )  # fmt: skip
    if was_cut:
        _log.warning("both sides were compared anew", extra={"writes": writes, "left_alone": strays})
    elif writes:
        _log.info("both sides were made to agree", extra={"writes": writes, "settled": is_settled})


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
