"""Workers that are killed at random moments: one of them, or all at once; then nobody works until their leases are over."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from escrow import database
from tests.workers.process import ROOT

WORKERS: Final = 2
ALL_AT_ONCE: Final = 0.7
"""The share of kills that leave no worker alive."""
START_SECONDS_MAX: Final = 120.0


class Workers:
    """Processes of `earnest worker`. `killed` is told of each that was killed."""

    def __init__(
        self, environ: dict[str, str], folder: Path, *, seed: int, every_seconds: float, killed: Callable[[], None]
    ) -> None:
        self._environ = environ
        self._folder = folder
        self._rng = random.Random(seed)
        self._every_seconds = every_seconds
        self._killed = killed
        self._processes: dict[int, asyncio.subprocess.Process] = {}

    @asynccontextmanager
    async def dying(self) -> AsyncIterator[None]:
        """They work and die meanwhile, all of them in the end."""
        await self._start()
        killer = asyncio.create_task(self._go_on())
        try:
            yield
        finally:
            killer.cancel()
            await asyncio.gather(killer, return_exceptions=True)
            await self._kill(list(self._processes))

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(self._every_seconds * 2 * self._rng.random())
            everybody = list(self._processes)
            if self._rng.random() < ALL_AT_ONCE:
                await self._kill(everybody)
                # Nobody is left who could hold one: it is as if their time had passed.
                await database.execute("UPDATE payment_orders SET due_at = now() WHERE lease_token IS NOT NULL")
            else:
                await self._kill([self._rng.choice(everybody)])
            await self._start()

    async def _start(self) -> None:
        numbers = [number for number in range(WORKERS) if number not in self._processes]
        for number in numbers:
            with self._log(number).open("wb") as output:
                self._processes[number] = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "earnest", "worker"),
                    env=self._environ,
                    cwd=ROOT,
                    stdout=output,
                    stderr=output,
                )
        deadline = time.monotonic() + START_SECONDS_MAX
        for number in numbers:
            while b"worker works" not in self._log(number).read_bytes():
                alive = self._processes[number].returncode is None and time.monotonic() < deadline
                assert alive, f"worker {number} does not start: {self._log(number).read_text()[-2000:]}"
                await asyncio.sleep(0.1)

    async def _kill(self, numbers: list[int]) -> None:
        for number in numbers:
            process = self._processes.pop(number)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            self._killed()

    def _log(self, number: int) -> Path:
        return self._folder / f"worker-{number}.log"
