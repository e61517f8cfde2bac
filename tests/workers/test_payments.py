"""What the worker asks a provider beside the orders themselves: for its books after a restore, and how payees stand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime

import pytest

from escrow.accounts.commands import ConnectPayee
from escrow.database import execute, fetch_value
from escrow.payments import payees
from escrow.payments.movements import Movement
from escrow.payments.results import PayeeState, ProviderError
from escrow.payments.sandbox import Sandbox
from escrow.pipeline import run
from tests.escrow.payments.losing import cut
from tests.escrow.payments.stage import strike
from tests.patience import PATIENCE_SECONDS
from workers.payments import Books, pump


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


class SlowAboutPayees(Sandbox):
    """Carries out what it is asked for at once, and doesn't tell how a payee stands before it is let."""

    def __init__(self) -> None:
        super().__init__(settle_seconds=0.0)
        self.asked, self.tells = asyncio.Event(), asyncio.Event()

    async def payee(self, payee_id: str) -> PayeeState:
        self.asked.set()
        await self.tells.wait()
        return await super().payee(payee_id)


async def test_a_payee_that_the_provider_is_slow_to_tell_of_holds_up_no_order(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payees, "CALL_SECONDS_MAX", 10 * PATIENCE_SECONDS)
    deal = await strike("100.00")
    await run(ConnectPayee(account_id=deal.freelancer_id or "", provider="sandbox"), by=deal.contract.freelancer)
    provider = SlowAboutPayees()
    pumping = asyncio.create_task(pump(provider))
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await provider.asked.wait()
            order_id = await deal.fund()
            await _until("SELECT state = 'PAID' FROM payment_orders WHERE id = $1", order_id)
            assert not await fetch_value("SELECT can_be_paid FROM payees")
            provider.tells.set()
            await _until("SELECT can_be_paid FROM payees")
    finally:
        pumping.cancel()
        await asyncio.gather(pumping, return_exceptions=True)


async def _until(happened: str, *given: object) -> None:
    while not await fetch_value(happened, *given):  # noqa: ASYNC110 - nothing rings when the worker has written
        await asyncio.sleep(0.01)
