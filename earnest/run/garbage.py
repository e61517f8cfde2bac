"""Says how often a process that runs for long looks for garbage in circles, and among how many objects each time.

Python looks again after every 700 objects that stay, however many wait at once: of a process with a thousand subscribers that
took two fifths of its time. Nearly all that we let go of is in no circle and is freed at once, without any looking.

Nothing else runs meanwhile, so a look is only among what came since the one before. What stayed then isn't looked at again until
the process has grown so much that circles among it may matter.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

YOUNG_OBJECTS: Final = 5_000
"""How many new objects, beyond those that went, make it look among them: this many take 1 to 2 ms."""

LOOKS_BEFORE_OLDER: Final = 1
"""After how many looks among the young the next is also among those that stayed, and after how many of those it is among all that
isn't put aside: 30,000 objects, some milliseconds."""

CONSIDERED_SECONDS: Final = 1.0

REST_SHARE: Final = 0.05
"""A process rests that has used less of a processor since it was considered last."""

GROWN_AT_REST: Final = 300_000
"""Pieces of memory by which a process that rests has grown since the last look at everything when it takes one, for a fifth of a
second: 20 to 30 MB."""

GROWN_MAX: Final = 1_500_000
"""By so many it takes one, whether it rests or not."""


class Garbage:
    """What is put aside, and when it is looked at once more."""

    def __init__(
        self,
        *,
        used_seconds: Callable[[], float] = time.process_time,
        pieces: Callable[[], int] = sys.getallocatedblocks,
    ) -> None:
        """`used_seconds` of a processor, and how many `pieces` of memory the process has."""
        self._used_seconds, self._pieces = used_seconds, pieces
        self._used, self._kept = used_seconds(), pieces()
        self.looks = 0
        """How often what stayed was put aside."""

    def begin(self) -> None:
        """Look rarely from now on; what is there now, modules and the schema above all, is put aside."""
        gc.collect()
        gc.freeze()
        self._kept = self._pieces()
        gc.set_threshold(YOUNG_OBJECTS, LOOKS_BEFORE_OLDER, LOOKS_BEFORE_OLDER)
        gc.callbacks.append(self._looked)

    def end(self) -> None:
        """Put nothing aside any more."""
        gc.callbacks.remove(self._looked)

    def consider(self, seconds: float) -> None:
        """Look at everything if it is time: the process has grown, and has rested for the last `seconds`, or has grown much."""
        used, self._used = self._used, self._used_seconds()
        rests = self._used - used < REST_SHARE * seconds
        if self._pieces() - self._kept > (GROWN_AT_REST if rests else GROWN_MAX):
            gc.unfreeze()
            gc.collect()
            self._kept = self._pieces()

    @asynccontextmanager
    async def considering(self) -> AsyncIterator[None]:
        """Consider it every second while the block lasts."""
        task = asyncio.create_task(self._consider())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _looked(self, phase: str, info: Mapping[str, int]) -> None:
        if phase == "stop" and info["generation"] == 2:
            gc.freeze()
            self.looks += 1

    async def _consider(self) -> None:
        while True:
            await asyncio.sleep(CONSIDERED_SECONDS)
            self.consider(CONSIDERED_SECONDS)


def look_rarely() -> Garbage:
    """Look rarely from now on; who goes on for long lets what comes of it consider now and then."""
    garbage = Garbage()
    garbage.begin()
    return garbage
