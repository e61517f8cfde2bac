"""What is done to the deployment while people work: everything that a machine room does to processes, cables, disks and clocks.

What was done counts and not what time it is: the next blow comes when so many more commands were answered. On a busy machine
nothing would be answered between two blows otherwise.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from signal import SIGCONT, SIGINT, SIGKILL, SIGQUIT, SIGSTOP, SIGUSR1
from typing import Final

from escrow import database
from tests.factories import advance_clock
from tests.soak.deployment.deals import OFFER_HOURS, Crowd
from tests.soak.deployment.processes import PROXIES, WEBS, WORKERS, House
from tests.soak.deployment.watching import Watch
from tests.workers.process import until

SKEW_DAYS_MAX: Final = 2
SKEWED: Final = 0.4
"""The share of starts on a host whose clock is wrong."""
STOPPED_SECONDS_MAX: Final = 3.0
LONG_STOP_SECONDS: Final = 35.0
"""Longer than any lease."""
RECOVERY_SECONDS_MAX: Final = 600.0
HOURS_AT_ONCE: Final = OFFER_HOURS + 2
FULL_DISK_MET: Final = 5
"""So many answers are lost to a disk that is full before somebody makes room."""

KILL_PROCESS: Final = "processes killed"
STOP_PROCESS: Final = "processes stopped for a while"
STOP_LONG: Final = "workers stopped for longer than a lease"
KILL_ALL: Final = "all processes killed at once"
CUT: Final = "cables cut"
STOP_CABLE: Final = "cables in which nothing moved for a while"
POSTGRES: Final = "restarts of PostgreSQL"
BACKEND: Final = "single processes of PostgreSQL killed"
REDIS: Final = "restarts of Redis"
CLOCK: Final = "hours that passed while nobody worked"
DISK: Final = "disks full"
SKEWED_STARTS: Final = "starts on a host whose clock is wrong by days"
REACHED: Final = "offers that end within reach of a worker whose clock is ahead"

USUAL: Final = {
    KILL_PROCESS: 10,
    STOP_PROCESS: 6,
    KILL_ALL: 1,
    CUT: 4,
    STOP_CABLE: 2,
    POSTGRES: 2,
    BACKEND: 2,
    REDIS: 2,
    CLOCK: 1,
}
"""What happens, by how often; each of them once at least, as the full disk does."""


@dataclass(slots=True)
class Blows:
    """Whoever does it."""

    house: House
    crowd: Crowd
    watch: Watch
    chance: random.Random
    every: int
    """Commands between two blows, on average."""
    long_stops: bool = False
    tell: Callable[[str], None] = lambda _: None
    counts: Counter[str] = field(default_factory=Counter)
    full: tuple[dict[str, int], dict[str, int]] = ({}, {})
    """How much each process had written when the disk got full, and when everybody was at work again."""
    hours_passed: int = 0
    """While nobody worked, all together."""

    async def go_on(self, done: Callable[[], bool]) -> None:
        """Until people are done, and each blow was dealt once."""
        once = [*USUAL, *([DISK] if self.house.has_small_disk else []), *([STOP_LONG] if self.long_stops else [])]
        self.chance.shuffle(once)
        while once or not done():
            name = once.pop() if once else self.chance.choices(list(USUAL), list(USUAL.values()))[0]
            await self._more_is_answered()
            began = time.monotonic()
            await self._blow(name)
            self.tell(f"{self.crowd.answered:,} commands; {name}, {time.monotonic() - began:.1f} s")
            assert not self.house.ended_by_itself(), self.house.ended_by_itself()

    async def _more_is_answered(self) -> None:
        enough = self.crowd.answered + self.chance.uniform(0.3, 1.7) * self.every

        async def answered() -> bool:
            return self.crowd.answered >= enough

        await until(answered, within_seconds=RECOVERY_SECONDS_MAX)

    async def _blow(self, name: str) -> None:
        deal: dict[str, Callable[[], Awaitable[None]]] = {
            KILL_PROCESS: self._kill,
            STOP_PROCESS: lambda: self._stop(WEBS + WORKERS, self.chance.uniform(0.2, STOPPED_SECONDS_MAX)),
            STOP_LONG: lambda: self._stop(WORKERS, LONG_STOP_SECONDS),
            KILL_ALL: self._kill_all,
            CUT: self._cut,
            STOP_CABLE: lambda: self._stop(PROXIES, self.chance.uniform(0.2, STOPPED_SECONDS_MAX)),
            POSTGRES: self._restart_postgres,
            BACKEND: self._kill_backend,
            REDIS: self.house.restart_redis,
            CLOCK: self._let_hours_pass,
            DISK: self._fill_disk,
        }
        await deal[name]()
        self.counts[name] += 1

    async def _kill(self) -> None:
        name = self.chance.choice(WEBS + WORKERS)
        await self.house.end(name)
        await self._begin(name)

    async def _kill_all(self) -> None:
        for name in WEBS + WORKERS:
            await self.house.end(name)
        await asyncio.gather(*(self._begin(name) for name in WEBS + WORKERS))

    async def _begin(self, name: str, *, is_ahead: bool = False) -> None:
        """Start a process, on a host whose clock is wrong by chance, or ahead for sure."""
        days = 0
        if is_ahead or self.chance.random() < SKEWED:
            days = self.chance.randint(1, SKEW_DAYS_MAX) * (1 if is_ahead else self.chance.choice((1, -1)))
            self.counts[SKEWED_STARTS] += 1
        if days > 0:
            days = await self._within_reach(name, days)
        await self.house.begin(name, skew_days=days)

    async def _within_reach(self, name: str, days: int) -> int:
        """By how much a clock is wrong that is so many days ahead of the time that has passed here, too; there is an offer that a
        worker would end too early if it went by that."""
        days_passed, hours = divmod(self.hours_passed, 24)
        if name in WORKERS:
            await self.crowd.wait(self.chance.randint(1, 24 * days - hours - 1))
            self.counts[REACHED] += 1
        return days_passed + days

    async def _stop(self, which: tuple[str, ...], seconds: float) -> None:
        name = self.chance.choice(which)
        self.house.signal(name, SIGSTOP)
        await asyncio.sleep(seconds)
        self.house.signal(name, SIGCONT)

    async def _cut(self) -> None:
        self.house.signal(self.chance.choice(PROXIES), SIGUSR1)

    async def _restart_postgres(self) -> None:
        await self.house.restart_postgres(self.chance.choice((SIGINT, SIGQUIT, SIGKILL)))

    async def _kill_backend(self) -> None:
        """One that serves somebody; then PostgreSQL ends all others and recovers by itself."""
        pids = [row["pid"] for row in await database.fetch(_BACKENDS)]
        for pid in self.chance.sample(pids, len(pids)):
            with suppress(ProcessLookupError):  # it has just ended by itself: another one, then
                os.kill(pid, SIGKILL)
                await self._until_postgres_answers(killed=pid)
                return

    async def _until_postgres_answers(self, *, killed: int = 0) -> None:
        """It may end at any time until then: it can't recover without room. Until it has noticed that one of its processes was
        killed it answers as if nothing had happened; then it doesn't list it any more."""

        async def answers() -> bool:
            process = self.house.postgres.process
            if process is None or process.returncode is not None:
                await self.house.start_postgres()
            try:
                return not await database.fetch_value(_IS_LISTED, killed)
            except database.AWAY:
                return False

        await until(answers, within_seconds=RECOVERY_SECONDS_MAX)

    async def _let_hours_pass(self) -> None:
        """A deadline comes, and passes by two hours, while no worker lives: it has to show."""
        await self.crowd.wait()
        for name in WORKERS:
            await self.house.end(name)
        await advance_clock(hours=HOURS_AT_ONCE)
        self.hours_passed += HOURS_AT_ONCE

        async def is_red() -> bool:
            return await self.watch.light() == 503

        await until(is_red, within_seconds=RECOVERY_SECONDS_MAX)
        await self.watch.look()
        await asyncio.gather(*(self._begin(name, is_ahead=name == WORKERS[0]) for name in WORKERS))

        async def is_green() -> bool:
            return await self.watch.light() == 200

        await until(is_green, within_seconds=RECOVERY_SECONDS_MAX)

    async def _fill_disk(self) -> None:
        """Until people have met it; then somebody makes room, and starts PostgreSQL if it had to end."""
        enough, before = self.crowd.api.counts["answers lost"] + FULL_DISK_MET, self.house.written()

        async def is_met() -> bool:
            self.house.fill_disk()
            return self.crowd.api.counts["answers lost"] >= enough

        try:
            await until(is_met, within_seconds=RECOVERY_SECONDS_MAX)
        finally:
            self.house.ballast.unlink(missing_ok=True)
        await self._until_postgres_answers()
        await self._more_is_answered()  # what processes met while there was no room they have written by then
        self.full = before, self.house.written()


_IS_LISTED: Final = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)"

_BACKENDS: Final = """
    SELECT pid FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND application_name LIKE 'earnest%' AND pid <> pg_backend_pid()
"""
