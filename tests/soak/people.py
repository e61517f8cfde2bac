"""What people do in the soak: they fund, authenticate, approve, are paid out, or give back; an operator looks into the rest."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Iterable
from typing import Final

from escrow import ids
from escrow.agreement import commands as c
from escrow.database import fetch
from escrow.errors import DomainError
from escrow.ids import Kind
from escrow.payments import orders
from escrow.payments.results import Hint
from escrow.pipeline import run
from escrow.states import OrderOutcome
from tests.factories import Deployment
from tests.stand_ins.stripe import payments, payouts
from tests.stand_ins.stripe.books import Books, Json

MEANS: Final = {
    "pm_card_visa": 50,
    "pm_card_bypassPending": 20,
    "pm_card_authenticationRequired": 10,
    "pm_usBankAccount_success": 6,
    "pm_card_chargeDeclined": 5,
    "pm_usBankAccount_accountClosed": 3,
    "pm_card_createDispute": 3,
}
"""How the clients of the soak pay, by how often."""

AT_ONCE: Final = 8

GIVEN_BACK: Final = 0.3
"""The share of deposits that goes back to the client instead of to the freelancer."""


class Crowd:
    """Two parties with many contracts; what each does is drawn from a seed."""

    def __init__(self, deployment: Deployment, books: Books, *, seed: int) -> None:
        self.deployment = deployment
        self._books = books
        self._rng = random.Random(seed)
        self._asked: set[str] = set()
        self.stuck: set[str] = set()
        """The orders that a person had to look into."""

    async def begin(self, deals: int) -> None:
        """So many new contracts, each with a deposit on its way."""
        await _some_at_once(self._begin() for _ in range(deals))

    async def _begin(self) -> None:
        amount = f"{self._rng.randint(5, 2_000)}.{self._rng.randint(0, 99):02}"
        (token,) = self._rng.choices(list(MEANS), list(MEANS.values()))
        deal = await self.deployment.activate(amount)
        await deal.fund(1, token=token)

    async def go_on(self) -> None:
        """Everybody does what is next for them; who was slower than the provider tries again later."""
        self._authenticate()
        rows = await fetch("SELECT id, contract_id FROM milestones WHERE state = 'ACTIVE' ORDER BY id")
        await _some_at_once(self._end(row["id"], row["contract_id"]) for row in rows)
        rows = await fetch(_PAYABLE)
        await _some_at_once(self._pay_out(row["contract_id"]) for row in rows)
        await self._look_after_what_is_stuck()

    def _authenticate(self) -> None:
        """Most payers answer their bank; some never do."""
        intents = list(self._books.of("payment_intent").values())
        for intent in intents:
            if intent["status"] == "requires_action" and intent["id"] not in self._asked:
                self._asked.add(intent["id"])
                if self._rng.random() < 0.8:
                    payments.authenticate(self._books, intent["id"], passed=self._rng.random() < 0.8)

    async def _end(self, milestone_id: str, contract_id: str) -> None:
        drawn = random.Random(milestone_id).random()
        if drawn < GIVEN_BACK:
            await _tried(run(c.GiveRefund(milestone_id=milestone_id), by=self.deployment.freelancer))
        else:
            await _tried(run(c.Approve(milestone_id=milestone_id), by=self.deployment.client))

    async def _pay_out(self, contract_id: str) -> None:
        command = c.RequestPayout(contract_id=contract_id, order_id=ids.new(Kind.ORDER), amount=None)
        await _tried(run(command, by=self.deployment.freelancer))

    async def _look_after_what_is_stuck(self) -> None:
        """The operator looks at the provider: what reached nobody's bank is taken back there, and never happened."""
        for row in await fetch(_STUCK):
            self.stuck.add(row["id"])
            if row["client_has_it"]:
                continue
            made = [one for kind, account in self._out for one in self._made(kind, row["id"], account)]
            if any(one["status"] not in ("failed", "canceled") for one in made):
                await orders.nudge([Hint(order_id=row["id"])])
                continue
            for transfer in self._made("transfer", row["id"], ""):
                if not transfer["reversed"]:
                    payouts.reverse(self._books, transfer["id"], {})
            command = c.ResolveOrder(order_id=row["id"], outcome=OrderOutcome.NEVER_HAPPENED)
            await _tried(run(command, by=self.deployment.operator))

    @property
    def _out(self) -> list[tuple[str, str]]:
        return [("refund", ""), *(("payout", payee) for payee in self._books.of("account"))]

    def _made(self, kind: str, order_id: str, account: str) -> list[Json]:
        return [one for one in self._books.of(kind, account).values() if one["metadata"].get("order") == order_id]


async def _tried(work: Awaitable[object]) -> None:
    with contextlib.suppress(DomainError):  # somebody was faster, or the money is frozen by a dispute
        await work


async def _some_at_once(work: Iterable[Awaitable[None]]) -> None:
    room = asyncio.Semaphore(AT_ONCE)

    async def one(each: Awaitable[None]) -> None:
        async with room:
            await each

    await asyncio.gather(*(one(each) for each in work))


# A refund of a charge that the bank has taken back needs nobody: the client has the money already.
_STUCK: Final = """
    SELECT o.id, o.contract_id, o.kind, o.state = 'FAILED' AND o.kind = 'REFUND' AND EXISTS (
        SELECT FROM deposits AS d WHERE d.id = o.deposit_id AND reversal IS NOT NULL) AS client_has_it
    FROM payment_orders AS o WHERE o.is_stuck
"""

_PAYABLE: Final = """
    SELECT contract_id FROM balances WHERE account LIKE 'payable:%:freelancer' AND balance_minor > 0 ORDER BY contract_id
"""
