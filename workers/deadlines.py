"""Applies deadlines as they fall due: claims contracts, works on several at once, and sleeps until the next is due.

A contract that fails for a reason of ours is tried again later and later, in nobody's way; the log and the metrics say
so. Any number of processes may do this at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter, defaultdict
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from escrow import bell, database, process_log, sweep
from escrow.bell import Topic, Wakeups
from escrow.handing_back import hand_back
from escrow.log import UnknownEvent

POLL_SECONDS: Final = 0.5
"""The longest sleep: how late at most a deadline is noticed that no ring told of."""

PAUSE_SECONDS_MIN: Final = 0.005
"""The shortest one: what is due may be in the hands of a command that is just being written."""

RING_PAUSE_SECONDS: Final = 0.05
"""After a ring while nothing is under way: commands set clocks all the time, which end in hours, not now."""

AT_ONCE: Final = 12
"""Statements under way in one process; most of PostgreSQL's pool stays for the other pumps."""

TOGETHER: Final = 32
"""Contracts that are applied by one statement: twice as many would hardly be cheaper."""

CLAIM_MAX: Final = 128
"""Deadlines that one claim looks at: well within the lease, also when each takes 25 ms."""

FIRE_SECONDS_MAX: Final = 4.0
"""What takes longer hangs, and gives its place to others before its lease ends. A write that is on its way goes on, and is
whole or nothing."""

STOP_SECONDS: Final = 3.0
"""What is under way may end for so long when the pump stops; a later worker finds the rest."""

_log = logging.getLogger(__name__)


async def pump() -> None:
    """Apply deadlines as they fall due, for ever."""
    with bell.listen(Topic.DEADLINES) as wakeups:
        work = _Work(wakeups)
        try:
            while True:
                await work.hand_back()
                seconds = POLL_SECONDS if work.is_busy else await work.take()
                if await wakeups.wait(seconds) and work.is_idle:
                    await asyncio.sleep(RING_PAUSE_SECONDS)
        finally:
            await work.end()


@dataclass(slots=True)
class _Ended:
    """What came of the contracts of one claim that are done with."""

    done: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    happened: Counter[str] = field(default_factory=Counter)


class _Work:
    """The contracts that this process is at, and what came of those that it has not handed back yet."""

    def __init__(self, wakeups: Wakeups) -> None:
        self._wakeups = wakeups
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._under_way: dict[asyncio.Task[None], int] = {}
        self._ended: defaultdict[str, _Ended] = defaultdict(_Ended)
        self._claiming: asyncio.Task[sweep.Claim] | None = None
        self._ending = False

    @property
    def is_idle(self) -> bool:
        return not self._under_way

    @property
    def is_busy(self) -> bool:
        """Whether so much is under way that claiming a little more isn't worth a statement."""
        return self._contracts > CLAIM_MAX // 2

    @property
    def _contracts(self) -> int:
        return sum(self._under_way.values())

    async def take(self) -> float:
        """Claim what is due and start on it; answers for how long there is nothing more to take, in seconds."""
        self._claiming = asyncio.create_task(sweep.claim(CLAIM_MAX - self._contracts))
        claim = await asyncio.shield(self._claiming)
        self._claiming = None
        for first in range(0, len(claim.contract_ids), TOGETHER):
            some = claim.contract_ids[first : first + TOGETHER]
            self._begin(self._fire_together(claim.token, some), *some)
        if claim.contract_ids:
            return POLL_SECONDS if self.is_busy else PAUSE_SECONDS_MIN
        seconds = await sweep.seconds_until_next()
        return POLL_SECONDS if seconds is None else min(max(seconds, PAUSE_SECONDS_MIN), POLL_SECONDS)

    def _begin(self, work: Coroutine[None, None, None], *contract_ids: str) -> None:
        task = asyncio.create_task(work, name=" ".join(contract_ids))
        self._under_way[task] = len(contract_ids)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.warning("lease left to end", extra={"contract": task.get_name(), "error": error})
        if not self.is_busy:
            self._wakeups.wake()

    async def _fire_together(self, token: str, contract_ids: Sequence[str]) -> None:
        """Contracts that can't be done with the others, for whatever reason, are then done by themselves."""
        process_log.begin(contracts=str(len(contract_ids)))
        async with self._slots:
            applied = {} if self._ending else await _applied(contract_ids)
        ended = self._ended[token]
        for contract_id in contract_ids:
            if contract_id in applied:
                ended.happened.update(applied[contract_id])
                ended.done.append(contract_id)
            else:
                self._begin(self._fire(token, contract_id), contract_id)

    async def _fire(self, token: str, contract_id: str) -> None:
        process_log.begin(contract=contract_id)
        async with self._slots:
            if self._ending:
                self._ended[token].unused.append(contract_id)
                return
            try:
                async with asyncio.timeout(FIRE_SECONDS_MAX):
                    happened = await sweep.fire(contract_id)
            except TimeoutError:  # counts as an OSError, but it is this one contract that hangs
                self._failed(token, contract_id, RuntimeError(f"not applied within {FIRE_SECONDS_MAX:g} s"))
            except database.AWAY:
                raise  # no fault of the contract's: the lease ends by itself, and the pump finds out soon enough
            except Exception as error:  # noqa: BLE001 - one contract must not stand in the others' way
                self._failed(token, contract_id, error)
            else:
                self._ended[token].happened.update(happened)
                self._ended[token].done.append(contract_id)

    def _failed(self, token: str, contract_id: str, error: Exception) -> None:
        said = process_log.said(error)
        known = isinstance(error, UnknownEvent | sweep.NothingHappens)
        _log.error(
            "deadlines not applied, tried again later", extra={"error": error}, exc_info=None if known else error
        )
        self._ended[token].failed[contract_id] = said

    async def hand_back(self) -> None:
        """Give back what is done with, one statement for each claim that it was taken by."""
        for token in list(self._ended):
            ended = self._ended.pop(token)
            # A pump that is stopped at this very moment has handed it back, too.
            await database.uncancelled(
                sweep.hand_back(
                    token, done=ended.done, unused=ended.unused, failed=ended.failed, happened=ended.happened
                )
            )

    async def end(self) -> None:
        """Let what was begun end, for a while, and hand everything back, if the database is there to take it."""
        self._ending = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                while self._under_way:
                    await asyncio.wait(self._under_way)
        tasks = set(self._under_way)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await hand_back(self._give_back_claimed, self.hand_back)

    async def _give_back_claimed(self) -> None:
        """What a claim took that was cut off in the middle of it: nobody has begun with these."""
        claiming, self._claiming = self._claiming, None
        if claiming is not None:
            unused = await claiming
            self._ended[unused.token].unused.extend(unused.contract_ids)


async def _applied(contract_ids: Sequence[str]) -> Mapping[str, Counter[str]]:
    """What came of those contracts whose deadlines could be applied together; nothing if they all failed together."""
    try:
        async with asyncio.timeout(FIRE_SECONDS_MAX):
            return await sweep.fire_together(contract_ids)
    except TimeoutError:  # counts as an OSError
        return {}
    except database.AWAY:
        raise
    except Exception as error:  # noqa: BLE001 - whose fault it is shows when each is done by itself
        _log.warning("deadlines not applied together", extra={"error": error})
        return {}
