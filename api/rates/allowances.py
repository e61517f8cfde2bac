"""Counts what each client uses in this process, out of points that were taken from the shared bucket in advance.

Without Redis each process counts alone, by buckets of the same size that begin with what was left when Redis was last
heard: a client gets at most its rate once for each process then.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from api.rates.shared_buckets import Away, Rate, SharedBuckets

CLIENTS_KEPT_MAX: Final = 20_000
"""Clients that a process remembers; whoever was silent for the longest time is forgotten, which costs one question."""

ADVANCE: Final = 1 / 50
"""The share of a bucket that is taken at once: that much may lie unused in each process. So large a debt is paid by itself."""

SETTLE_SECONDS: Final = 0.5
"""How long a client's debt rests between two payments, however often it grows."""


@dataclass(frozen=True, slots=True)
class Balance:
    """What a client has left, and, if it hadn't enough, in how many seconds it will have."""

    available: float
    rate: Rate
    retry_after_seconds: float | None = None

    @property
    def is_refused(self) -> bool:
        return self.retry_after_seconds is not None


@dataclass(slots=True)
class _Client:
    """One client as this process knows it."""

    points: float
    """Taken in advance, or, while `is_alone`, all that there is."""
    left: float
    """In the shared bucket when it was last asked."""
    at: float
    is_alone: bool = False
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)
    settles_at: float = 0.0
    """When a debt may be paid out of the shared bucket next."""


class Allowances:
    """What the clients of this process have left; `shared` is `None` where there is no Redis."""

    def __init__(self, shared: SharedBuckets | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._shared = shared
        self._clock = clock
        self._clients: OrderedDict[str, _Client] = OrderedDict()
        self._settling: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """How many clients are counted here."""
        return len(self._clients)

    async def spend(self, client: str, points: float, rate: Rate) -> Balance:
        """Let a client use `points`, all or none. More than the bucket holds at its fullest is never granted."""
        known = self._known(client, rate)
        missing = self.missing(client, points, rate)
        if missing > 0:  # whatever the other processes know: nobody needs to be asked
            self._pay_debt(client, known, rate)
            return Balance(self._available(known), rate, missing / rate.restored)
        if known.points < points or known.is_alone:
            async with known.asking:
                await self._fill(client, known, points, rate)
        if known.points < points:
            missing = points - known.points - (0 if known.is_alone else known.left)
            return Balance(self._available(known), rate, max(missing, 0.0) / rate.restored)
        known.points -= points
        return Balance(self._available(known), rate)

    def missing(self, client: str, points: float, rate: Rate) -> float:
        """How many of these points the client lacks at least, as far as is known here; 0 if it may have them all."""
        known = self._clients.get(client)
        if known is None:
            return 0.0
        restored = (self._clock() - known.at) * rate.restored
        shared = restored if known.is_alone else min(known.left + restored, rate.capacity)
        return max(points - known.points - shared, 0.0)

    def charge(self, client: str, points: float, rate: Rate) -> None:
        """Count what turned out to be used beyond what was spent; what is missing then is made up for by waiting."""
        known = self._known(client, rate)
        known.points -= points
        self._pay_debt(client, known, rate)

    def _pay_debt(self, client: str, known: _Client, rate: Rate) -> None:
        """Pay a large debt out of what was restored since: it may be more than a bucket ever holds at a time."""
        now = self._clock()
        if known.points < -rate.capacity * ADVANCE and now >= known.settles_at:
            known.settles_at = now + SETTLE_SECONDS
            task = asyncio.get_running_loop().create_task(self._settle(client, known, rate))
            self._settling.add(task)
            task.add_done_callback(self._settling.discard)

    async def _settle(self, client: str, known: _Client, rate: Rate) -> None:
        async with known.asking:
            taken = await self._taken(client, rate, least=0.0, most=-known.points) if known.points < 0 else None
            if taken is not None:
                got, known.left = taken
                known.points += got
                known.is_alone = False
                known.at = self._clock()
            elif known.points < 0:
                self._fill_alone(known, rate)

    def _known(self, client: str, rate: Rate) -> _Client:
        known = self._clients.get(client)
        if known is None:
            self._clients[client] = known = _Client(0.0, float(rate.capacity), self._clock())
            if len(self._clients) > CLIENTS_KEPT_MAX:
                self._clients.popitem(last=False)
        else:
            self._clients.move_to_end(client)
        return known

    async def _fill(self, client: str, known: _Client, points: float, rate: Rate) -> None:
        """Take what is missing out of the shared bucket, and a little in advance.

        Whatever else the client does may use of it while Redis is asked, so it is taken until it is enough or the bucket refuses.
        """
        while known.points < points or known.is_alone:
            least = points - known.points
            taken = await self._taken(client, rate, least=least, most=max(least, rate.capacity * ADVANCE))
            if taken is None:
                self._fill_alone(known, rate)
                return
            got, known.left = taken
            known.points += got
            known.is_alone = False
            known.at = self._clock()
            if got < least:
                return

    async def _taken(self, client: str, rate: Rate, *, least: float, most: float) -> tuple[float, float] | None:
        """What the shared bucket gave and what is left in it; `None` if nobody knows."""
        if self._shared is None:
            return None
        try:
            return await self._shared.take(client, rate, least=least, most=most)
        except Away:
            return None

    def _fill_alone(self, known: _Client, rate: Rate) -> None:
        now = self._clock()
        if not known.is_alone:
            known.points += known.left
            known.is_alone = True
        known.points = min(float(rate.capacity), known.points + (now - known.at) * rate.restored)
        known.at = now

    def _available(self, known: _Client) -> float:
        return max(known.points + (0 if known.is_alone else known.left), 0.0)
