"""A provider that doesn't tell its books after a restore is asked again, and less and less often."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

from escrow.database import execute, fetch_value
from escrow.payments.movements import Movement
from escrow.payments.results import ProviderError
from escrow.payments.sandbox import Sandbox
from tests.escrow.payments.losing import cut
from tests.escrow.payments.stage import strike
from workers.payments import Books


class Silent(Sandbox):
    """Tells nothing until it is let."""

    def __init__(self) -> None:
        super().__init__(settle_seconds=0.0)
        self.asked = 0
        self.tells = False

    async def movements(self, since: datetime) -> AsyncIterator[Movement]:
        self.asked += 1
        if not self.tells:
            raise ProviderError("no answer")
        async for one in super().movements(since):
            yield one


async def test_books_that_are_not_told_are_asked_for_after_pauses_that_grow_to_a_minute(database: str) -> None:
    await strike("100.00")
    await cut()
    await execute("UPDATE log_cuts SET books_due_at = now()")
    now, asked_at = 0.0, []
    provider = Silent()
    books = Books(provider, clock=lambda: now)
    while now < 200:
        before = provider.asked
        await books.read()
        asked_at += [now] * (provider.asked - before)
        now += 0.5
    assert asked_at == [0, 1, 3, 7, 15, 31, 63, 123, 183]
    provider.tells = True
    now += 60
    await books.read()
    assert await fetch_value("SELECT count(*) FROM log_cuts WHERE books_read_at IS NULL") == 0
