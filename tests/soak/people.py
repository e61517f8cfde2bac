"""What people do in the soak: they fund, authenticate, approve, are paid out, or give back; an operator looks into the rest."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Iterable
from dataclasses import replace
from itertools import islice
from typing import Final

from escrow import ids
from escrow.access import AccountType, Actor
from escrow.accounts.commands import ConnectPayee, CreateAccount
from escrow.agreement import commands as c
from escrow.database import Record, execute, fetch
from escrow.errors import DomainError
from escrow.ids import Kind
from escrow.payments import orders, payees
from escrow.payments.provider import Provider
from escrow.payments.results import Hint
from escrow.pipeline import run
from escrow.states import OrderOutcome
from tests.factories import Deployment, party
from tests.stand_ins.stripe import payees as told_stripe
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

SETTLED: Final = ("succeeded", "canceled")
"""An intent that is so will never ask its payer for anything."""

GIVEN_BACK: Final = 0.3
"""The share of deposits that goes back to the client instead of to the freelancer."""


DEALS_A_FREELANCER: Final = 25
"""What one is paid is looked for among all that they were paid, and nobody is paid thousands of times a day."""

ONBOARDED_AT_ONCE: Final = 100


class Crowd:
    """A client and freelancers with many contracts; what each does is drawn from a seed."""

    def __init__(self, deployment: Deployment, books: Books, *, seed: int) -> None:
        self.deployment = deployment
        self._freelancers: dict[str, Actor] = {}
        self._books = books
        self._rng = random.Random(seed)
        self._intents_seen = 0
        self._unsettled: dict[str, Json] = {}
        self._asked: set[str] = set()
        self.stuck: set[str] = set()
        """The orders that a person had to look into."""

    async def onboard(self, provider: Provider, *, deals: int) -> None:
        """Enough freelancers for so many contracts ask to be paid, tell the provider everything, and are looked at until nothing
        of it is lost."""
        for _ in range(deals // DEALS_A_FREELANCER + 1):
            creation = CreateAccount(account_id=ids.new(Kind.ACCOUNT), name="Zoë 工房", type=AccountType.AGENCY)
            await run(creation, by=self.deployment.operator)
            freelancer = self._freelancers[creation.account_id] = party(creation.account_id)
            await run(ConnectPayee(account_id=creation.account_id, provider="stripe"), by=freelancer)
        while waiting := await fetch("SELECT payee_id FROM payees WHERE NOT can_be_paid"):
            for row in waiting:
                if row["payee_id"] is not None:
                    told_stripe.told(self._books, row["payee_id"])
            await execute("UPDATE payees SET due_at = now() WHERE NOT can_be_paid")
            await payees.look(provider, limit=ONBOARDED_AT_ONCE)

    async def begin(self, deals: int) -> None:
        """So many new contracts, each with a deposit on its way."""
        await _some_at_once(self._begin() for _ in range(deals))

    async def _begin(self) -> None:
        amount = f"{self._rng.randint(5, 2_000)}.{self._rng.randint(0, 99):02}"
        (token,) = self._rng.choices(list(MEANS), list(MEANS.values()))
        freelancer = self._rng.choice(list(self._freelancers.values()))
        deal = await replace(self.deployment, freelancer=freelancer).activate(amount)
        await deal.fund(1, token=token)

    async def go_on(self) -> None:
        """Everybody does what is next for them; who was slower than the provider tries again later."""
        self._authenticate()
        await _some_at_once(self._end(row) for row in await fetch(_ACTIVE))
        await _some_at_once(self._pay_out(row) for row in await fetch(_PAYABLE))
        await self._look_after_what_is_stuck()

    def _authenticate(self) -> None:
        """Most payers answer their bank; some never do."""
        intents = self._books.of("payment_intent")
        self._unsettled.update(islice(intents.items(), self._intents_seen, None))
        self._intents_seen = len(intents)
        for name, intent in list(self._unsettled.items()):
            if intent["status"] in SETTLED:
                del self._unsettled[name]
            elif intent["status"] == "requires_action" and name not in self._asked:
                self._asked.add(name)
                if self._rng.random() < 0.8:
                    payments.authenticate(self._books, name, passed=self._rng.random() < 0.8)

    async def _end(self, milestone: Record) -> None:
        drawn = random.Random(milestone["id"]).random()
        if drawn < GIVEN_BACK:
            giving = c.GiveRefund(milestone_id=milestone["id"])
            await _tried(run(giving, by=self._freelancers[milestone["freelancer_id"]]))
        else:
            await _tried(run(c.Approve(milestone_id=milestone["id"]), by=self.deployment.client))

    async def _pay_out(self, contract: Record) -> None:
        command = c.RequestPayout(contract_id=contract["id"], order_id=ids.new(Kind.ORDER), amount=None)
        await _tried(run(command, by=self._freelancers[contract["freelancer_id"]]))

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
        return self._books.drawer(account).of_order(kind, order_id)


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

_ACTIVE: Final = """
    SELECT m.id, c.freelancer_id FROM milestones AS m JOIN contracts AS c ON c.id = contract_id
    WHERE m.state = 'ACTIVE' ORDER BY m.id
"""

_PAYABLE: Final = """
    SELECT c.id, c.freelancer_id FROM balances AS b JOIN contracts AS c ON c.id = contract_id
    WHERE account LIKE 'payable:%:freelancer' AND balance_minor > 0 ORDER BY c.id
"""
