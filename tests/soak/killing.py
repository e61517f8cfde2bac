"""Workers that are killed at moments that are drawn: one of them, or all at once; then nobody works until their leases are over.

A moment is one at which a request has just come to the provider, or was just carried out and isn't answered yet.

Those that take over are there at once: a soak that waited for imports would be one of imports, and last as long as these take on
a busy machine.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from escrow import database
from tests.workers.forking import Forked

WORKERS: Final = 2
ALL_AT_ONCE: Final = 0.7
"""The share of kills that leave no worker alive."""
MOMENTS: Final = 2
"""Of one request."""
START_SECONDS_MAX: Final = 120.0


class Workers:
    """Processes of `earnest worker`. Some are killed whenever about `every` more `requests` were made; `killed` is told of each.

    What was done counts and not what time it is: on a machine that has much to do, they would die before they did anything.
    """

    def __init__(
        self,
        environ: dict[str, str],
        folder: Path,
        *,
        seed: int,
        every: int,
        all_at_once: float,
        killed: Callable[[], None],
    ) -> None:
        self._environ = environ
        self._folder = folder
        self._rng = random.Random(seed)
        self._every = every
        self._all_at_once = all_at_once
        self._killed = killed
        self._processes: dict[int, Forked] = {}
        self._begins: dict[int, int] = {}
        """Where in its log begins what a worker wrote since it was started, in bytes."""
        self._moments = 0
        self._until = math.inf
        self._struck: list[int] = []
        self._has_struck = asyncio.Event()

    def moment(self) -> None:
        """A request came, or was carried out: who makes it may be dead now."""
        self._moments += 1
        if self._moments < self._until or not self._processes:
            return
        self._until = math.inf
        everybody = list(self._processes)
        is_for_all = self._rng.random() < self._all_at_once
        self._struck = everybody if is_for_all else [self._rng.choice(everybody)]
        for number in self._struck:
            self._processes[number].kill()
        self._has_struck.set()

    @asynccontextmanager
    async def dying(self) -> AsyncIterator[None]:
        """They work and die meanwhile, all of them in the end."""
        await self._start()
        killer = asyncio.create_task(self._go_on())
        try:
            yield
        finally:
            killer.cancel()
            (ended,) = await asyncio.gather(killer, return_exceptions=True)
            await self._kill(list(self._processes))
            if isinstance(ended, Exception):
                raise ended  # nobody was killed any more, nor started: whatever else went wrong, this is why

    async def _go_on(self) -> None:
        while True:
            self._has_struck.clear()
            self._until = self._moments + MOMENTS * self._rng.uniform(0, 2 * self._every)
            await self._has_struck.wait()
            await self._kill(self._struck)
            if not self._processes:
                # Nobody is left who could hold one: it is as if their time had passed.
                await database.execute("UPDATE payment_orders SET due_at = now() WHERE lease_token IS NOT NULL")
            await self._start()

    async def _start(self) -> None:
        numbers = [number for number in range(WORKERS) if number not in self._processes]
        for number in numbers:
            with self._log(number).open("ab") as log:
                log.write(b"\n")  # the one before may have been killed in the middle of a line
                self._begins[number] = log.tell()
            self._processes[number] = Forked("tests.soak.working", "", environ=self._environ, log=self._log(number))
        deadline = time.monotonic() + START_SECONDS_MAX
        for number in numbers:
            while b"worker works" not in self._said(number):
                alive = self._processes[number].returncode is None and time.monotonic() < deadline
                assert alive, f"worker {number} does not start: {self._said(number).decode()[-2000:]}"
                await asyncio.sleep(0.02)

    async def _kill(self, numbers: list[int]) -> None:
        for number in numbers:
            process = self._processes.pop(number)
            process.kill()
            await process.wait()
            self._killed()

    def _said(self, number: int) -> bytes:
        """What a worker wrote since it was started."""
        with self._log(number).open("rb") as log:
            log.seek(self._begins[number])
            return log.read()

    def _log(self, number: int) -> Path:
        return self._folder / f"worker-{number}.log"
