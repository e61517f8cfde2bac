"""Lets refusals wait: whoever asks again and again for what is refused gets only so many answers a second.

An answer costs little, but a client that never pauses asks for thousands. Who was refused seldom is told at once.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

REFUSALS_PER_SECOND: Final = 20.0
"""Answers that one client gets in the long run of those that only say no."""

AT_ONCE_MAX: Final = 20
"""Refusals without a wait for whoever had none lately."""

PAUSE_SECONDS_MAX: Final = 2.0
"""Nobody waits longer: it is a client's connections that bound how many wait."""

CLIENTS_KEPT_MAX: Final = 20_000


class Pacing:
    """When each client may be told no again."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next: OrderedDict[str, float] = OrderedDict()
        """The moment by which all refusals so far are told, at the pace that holds in the long run."""

    async def pause(self, client: str) -> None:
        """Return when this client may be told no once more."""
        seconds = self.seconds(client)
        if seconds > 0:
            await asyncio.sleep(seconds)

    def seconds(self, client: str) -> float:
        """How long a refusal has to wait that is due now; it counts as told."""
        now = self._clock()
        rested = now - AT_ONCE_MAX / REFUSALS_PER_SECOND
        told = max(self._next.pop(client, rested), rested)
        self._next[client] = told = min(told + 1 / REFUSALS_PER_SECOND, now + PAUSE_SECONDS_MAX)
        if len(self._next) > CLIENTS_KEPT_MAX:
            self._next.popitem(last=False)
        return told - now
