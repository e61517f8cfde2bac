"""Watches deadlines all the time: if one is late, a red light has to say so."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

import aiohttp

from api.health import OVERDUE_SECONDS_MAX
from escrow import database, sweep
from tests.soak.deployment.asking import Api

LOOK_EVERY_SECONDS: Final = 1.0
KNOWN_SECONDS: Final = 0.6
"""Longer than an answer of `/readyz` is remembered."""
ASKED_SECONDS_MAX: Final = 10.0


@dataclass(slots=True)
class Watch:
    """What was seen of the clocks."""

    api: Api
    looks: int = 0
    red: int = 0
    """How often a deadline was late and the light was red."""
    wrong: list[str] = field(default_factory=list)

    async def go_on(self) -> None:
        """For ever."""
        while True:
            try:
                await self.look()
            except database.AWAY:
                await asyncio.sleep(0.2)
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def look(self) -> None:
        """Look once."""
        self.looks += 1
        if await self._is_late():
            await asyncio.sleep(KNOWN_SECONDS)
            status = await self.light()
            if await self._is_late() and status == 200:
                self.wrong.append("a deadline is late, and the light is green")
            self.red += status == 503

    async def light(self) -> int | None:
        """What `/readyz` says; `None` if nobody answers."""
        timeout = aiohttp.ClientTimeout(total=ASKED_SECONDS_MAX)
        try:
            async with self.api.session.get(f"{self.api.url}/readyz", timeout=timeout) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None

    async def _is_late(self) -> bool:
        return (await sweep.backlog()).oldest_waiting_seconds > OVERDUE_SECONDS_MAX
