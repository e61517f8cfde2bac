"""Contracts whose money is on the move, as tests of payments see them: by order, by charge, by ledger account."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from escrow import ids
from escrow.agreement import commands as c
from escrow.database import Record, fetch, fetch_row, fetch_value
from escrow.ids import Kind
from escrow.payments import leases, orders
from escrow.payments.calls import ChargeRequest, Step, key_of
from escrow.payments.leases import Claimed, Learned
from escrow.payments.provider import Provider
from escrow.payments.results import Prepared
from escrow.pipeline import run
from tests import factories
from tests.factories import Deployment, usd
from tests.patience import PATIENCE_SECONDS

CHANGE: Final = timedelta(hours=1)
"""Between two results of the `sandbox` whose mind changes when a test says so: so long that no machine is that busy."""


@dataclass(frozen=True, slots=True)
class Deal:
    """An active contract, in a deployment without fees, so that sums are plain."""

    contract: factories.Deal
    deployment: Deployment

    @property
    def id(self) -> str:
        return self.contract.id

    @property
    def client_id(self) -> str | None:
        return self.contract.client.account_id

    @property
    def freelancer_id(self) -> str | None:
        return self.contract.freelancer.account_id

    async def another(self, *amounts: str) -> Deal:
        """One more contract between the same two."""
        return Deal(await self.deployment.activate(*amounts), self.deployment)

    async def fund(self, token: str | None = None, *, position: int = 1) -> str:
        """Starts the deposit for a milestone; gives the order's id."""
        deposit_id = await self.contract.fund(position, token=token)
        return str(await fetch_value("SELECT order_id FROM deposits WHERE id = $1", deposit_id))

    async def cancel(self, *, position: int = 1) -> None:
        await run(c.CancelFunding(milestone_id=self.contract.milestone(position)), by=self.contract.client)

    async def approve(self, *, position: int = 1) -> None:
        await self.contract.approve(position)

    async def request_payout(self, amount: str | None = None) -> str:
        """Gives the order's id."""
        order_id = ids.new(Kind.ORDER)
        part = None if amount is None else usd(amount)
        command = c.RequestPayout(contract_id=self.id, order_id=order_id, amount=part)
        await run(command, by=self.contract.freelancer)
        return order_id

    async def milestone_state(self, position: int = 1) -> str:
        return (await self.contract.states())[position - 1]

    async def events(self, *types: str) -> list[str]:
        """The types of the contract's events in order, only those named."""
        return [each for each in await self.contract.types() if each in types]

    async def balance(self, account: str) -> int:
        """Credits less debits of all ledger accounts of a kind (`payable`), from the contract's transfers."""
        sql = """
            SELECT coalesce(sum(CASE WHEN credit LIKE $2 THEN amount_minor ELSE 0 END)
                          - sum(CASE WHEN debit LIKE $2 THEN amount_minor ELSE 0 END), 0)::bigint
            FROM transfers WHERE contract_id = $1
        """
        return int(await fetch_value(sql, self.id, f"{account}:%"))


async def strike(*amounts: str) -> Deal:
    """A deployment, and an active contract in USD with milestones of these amounts."""
    deployment = await Deployment.make(client_bps=0, freelancer_bps=0)
    return Deal(await deployment.activate(*amounts), deployment)


async def order(order_id: str) -> Record:
    row = await fetch_row("SELECT * FROM payment_orders WHERE id = $1", order_id)
    assert row is not None
    return row


async def charge(order_id: str) -> Record | None:
    """What the sandbox's books say of an order: of its charge, its newest refund, or its payout."""
    sql = """
        SELECT * FROM sandbox_charges WHERE order_id = $1 AND kind IN ('DEPOSIT', 'REFUND', 'PAYOUT')
        ORDER BY created_at DESC LIMIT 1
    """
    return await fetch_row(sql, order_id)


async def take(claimed: Claimed, provider: Provider, *, token: str | None) -> None:
    """As if a worker had charged the client and died before it heard anything of it."""
    (call,) = claimed.calls
    request = ChargeRequest(
        key=key_of(claimed.id, call.attempt, Step.PREPARE),
        order_id=claimed.id,
        group=claimed.contract_id,
        amount=claimed.amount,
        token=token,
        client_id=claimed.client_id,
    )
    prepared = await provider.prepare(request)
    assert isinstance(prepared, Prepared)
    await leases.go_on(claimed, learned=Learned(call=call, provider_id=prepared.provider_id))
    await provider.confirm(prepared.provider_id, request)


async def make_due(order_id: str) -> None:
    """As if the time had come, or the lease had ended."""
    await fetch("UPDATE payment_orders SET due_at = now() WHERE id = $1", order_id)


async def put_off(order_id: str) -> None:
    """As if its next turn, if it has one, were hours away: only somebody else wakes it."""
    await fetch(
        "UPDATE payment_orders SET due_at = now() + interval '6 hours' WHERE due_at IS NOT NULL AND id = $1", order_id
    )


async def settle() -> None:
    """As if the time had passed that the sandbox takes for what it was asked so far."""
    await fetch("UPDATE sandbox_charges SET settles_at = now() WHERE settles_at > now()")


async def change_minds() -> None:
    """As if the time had passed after which the sandbox changes its mind, and tells of it."""
    await fetch("UPDATE sandbox_charges SET settles_at = settles_at - $1::interval, notices = ARRAY[now()]", CHANGE)


async def age_calls(order_id: str, by: str) -> None:
    """As if the calls of an order had been made that much longer ago."""
    await fetch(
        "UPDATE provider_calls SET called_at = called_at - $2::text::interval WHERE order_id = $1", order_id, by
    )


async def work(provider: Provider, *, until: Callable[[], Awaitable[bool]]) -> None:
    """What a worker does, without its patience: everything open is due at once, until something is true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not await until():
        assert time.monotonic() < deadline, "the worker never got there"
        await fetch("UPDATE payment_orders SET due_at = now() WHERE due_at IS NOT NULL AND lease_token IS NULL")
        await orders.nudge(await provider.notices())
        for claimed in await orders.claim(10):
            assert await orders.attend(claimed, provider)
        await asyncio.sleep(0.02)


def finished(*order_ids: str) -> Callable[[], Awaitable[bool]]:
    """Whether nobody comes back to these orders, for `work`."""

    async def check() -> bool:
        return all([(await order(order_id))["due_at"] is None for order_id in order_ids])

    return check


async def claim_one() -> Claimed:
    """The only order that is due."""
    (claimed,) = await orders.claim(10)
    return claimed


async def returned(deal: Deal) -> str:
    """The order that sends money back."""
    sql = "SELECT id FROM payment_orders WHERE contract_id = $1 AND kind = 'REFUND'"
    order_id = await fetch_value(sql, deal.id)
    assert isinstance(order_id, str)
    return order_id
