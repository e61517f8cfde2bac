"""Random histories of both parties, the provider and the clock on a real database, some of them at once, each audited."""

from __future__ import annotations

import asyncio
import os
import random
from datetime import datetime, timedelta

import pytest

from escrow import clock, database, ids, log, terms
from escrow.access import CLOCK, PROVIDER, Actor
from escrow.agreement import commands as c
from escrow.audit import audit
from escrow.erasure import erase
from escrow.errors import DomainError
from escrow.ids import Kind
from escrow.money import Money
from escrow.pipeline import ContractOutcome, run
from escrow.states import ActionKind, OrderOutcome, ReversalOutcome
from tests.factories import Deal, Deployment, advance_clock, draft, usd

pytestmark = pytest.mark.usefixtures("database")

HISTORIES = range(100 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 8)
STEPS = 60


class Dice:
    """Whatever anybody might do next to one contract, sensible or not."""

    def __init__(self, there: Deployment, deal: Deal, seed: int) -> None:
        self.there, self.deal, self.chance = there, deal, random.Random(seed)

    async def commands(self) -> list[tuple[c.Command, Actor]]:
        """One command or a few, to be given at once."""
        milestones = [row["id"] for row in await self._rows("SELECT id FROM milestones WHERE contract_id = $1")]
        deposits = await self._rows("SELECT id, charge_minor, currency FROM deposits WHERE contract_id = $1")
        orders = await self._rows("SELECT id FROM payment_orders WHERE contract_id = $1 AND kind <> 'DEPOSIT'")
        count = self.chance.choice((1, 1, 1, 2, 3))
        now = await clock.now()
        return [self._command(milestones, deposits, [row["id"] for row in orders], now) for _ in range(count)]

    async def _rows(self, sql: str) -> list[database.Record]:
        return await database.fetch(f"{sql} ORDER BY id", self.deal.id)

    def _command(
        self, milestones: list[str], deposits: list[database.Record], orders: list[str], now: datetime
    ) -> tuple[c.Command, Actor]:
        contract_id, chance = self.deal.id, self.chance
        milestone_id = chance.choice(milestones)
        client, freelancer = self.there.client, self.there.freelancer
        options: list[tuple[c.Command, Actor]] = [
            (c.Accept(contract_id=contract_id, revision=chance.choice((1, 1, 2))), freelancer),
            (c.AddMilestone(contract_id=contract_id, milestone=draft(), position=chance.randint(1, 4)), client),
            (c.EditMilestone(milestone_id=milestone_id, amount=usd(f"{chance.randint(1, 99)}.00")), client),
            (c.MoveMilestone(milestone_id=milestone_id, position=chance.randint(1, 4)), client),
            (c.RemoveMilestone(milestone_id=milestone_id), client),
            (c.CancelFunding(milestone_id=milestone_id), client),
            (c.RequestChanges(milestone_id=milestone_id, note="No"), client),
            (c.ApplyDeadlines(contract_id=contract_id), CLOCK),
            (c.RequestPayout(contract_id=contract_id, order_id=ids.new(Kind.ORDER)), freelancer),
        ]
        for milestone_id in chance.sample(milestones, min(3, len(milestones))):
            fund = c.Fund(milestone_id=milestone_id, deposit_id=ids.new(Kind.DEPOSIT), order_id=ids.new(Kind.ORDER))
            submit = c.Submit(milestone_id=milestone_id, submission_id=ids.new(Kind.SUBMISSION), message="There")
            options += [(fund, client), (submit, freelancer), (c.Approve(milestone_id=milestone_id), client)]
        for deposit in deposits[-3:]:
            taken = Money(chance.choice((deposit["charge_minor"],) * 4 + (1,)), chance.choice(("USD",) * 9 + ("EUR",)))
            confirm = c.ConfirmDeposit(contract_id=contract_id, deposit_id=deposit["id"], amount=taken)
            fail = c.FailDeposit(contract_id=contract_id, deposit_id=deposit["id"], reason="declined")
            act = c.RequireAction(
                contract_id=contract_id,
                deposit_id=deposit["id"],
                kind=chance.choice(list(ActionKind)),
                until=chance.choice((None, now + timedelta(hours=chance.randint(0, 90)))),
            )
            acted = c.EndAction(contract_id=contract_id, deposit_id=deposit["id"])
            options += [(confirm, PROVIDER), (confirm, PROVIDER), (fail, PROVIDER), (act, PROVIDER), (acted, PROVIDER)]
            options += [(self._reversal(deposit), PROVIDER), (self._cost(), PROVIDER)]
            resolved = c.ResolveReversal(deposit_id=deposit["id"], outcome=chance.choice(list(ReversalOutcome)))
            options.append((resolved, self.there.operator))
        for order_id in orders[-3:]:
            options.append((c.ConfirmOrder(contract_id=contract_id, order_id=order_id), PROVIDER))
            options.append((c.FailOrder(contract_id=contract_id, order_id=order_id, reason="closed"), PROVIDER))
            options.append((c.MarkStuck(contract_id=contract_id, order_id=order_id, reason="who knows"), PROVIDER))
            found_out = c.ResolveOrder(order_id=order_id, outcome=chance.choice(list(OrderOutcome)))
            options.append((found_out, self.there.operator))
        return chance.choice(options)

    def _reversal(self, deposit: database.Record) -> c.ReverseDeposit:
        charge, chance = deposit["charge_minor"], self.chance
        return c.ReverseDeposit(
            contract_id=self.deal.id,
            deposit_id=deposit["id"],
            amount=Money(chance.choice((charge, charge, -(-charge // 3))), "USD"),
            reason="not me",
            reference=chance.choice(("one", "one", "two")),
            outcome=chance.choice((None, None, *ReversalOutcome)),
        )

    def _cost(self) -> c.BookCost:
        movement = ids.new(Kind.TRANSFER)
        return c.BookCost(contract_id=self.deal.id, movement=movement, fee=Money(self.chance.randint(1, 99), "EUR"))


async def attempt(command: c.Command, by: Actor) -> ContractOutcome | DomainError:
    try:
        return await run(command, by=by)
    except DomainError as refusal:
        return refusal


@pytest.mark.parametrize("seed", HISTORIES)
async def test_after_any_history_the_tables_are_what_the_log_gives(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = timedelta(days=55) if seed % 2 else None
    monkeypatch.setattr(terms, "_terms", terms.Terms(usual_hold_limit=limit))
    there = await Deployment.make()
    begin = there.activate if seed % 4 else there.propose
    rng = Dice(there, await begin("250.00", "500.00", "100.00"), seed)
    outcomes: list[ContractOutcome | DomainError] = []
    for number in range(STEPS):
        given = await rng.commands()
        outcomes += await asyncio.gather(*(attempt(command, by) for command, by in given))
        if rng.chance.random() < 0.05:
            await advance_clock(hours=rng.chance.choice((1, 71, 73, 14 * 24)))
        if number % 7 == 0:
            await log.sequence(limit=rng.chance.randint(1, 20))
    assert any(isinstance(one, ContractOutcome) for one in outcomes)
    assert [str(difference) async for difference in audit()] == []
    if (
        await database.fetch_value("SELECT count(*) FROM payment_orders WHERE state = 'STARTED' AND kind = 'DEPOSIT'")
        == 0
    ):
        await erase(rng.deal.id)
        assert [str(difference) async for difference in audit()] == []
