"""Random histories of both parties, the provider, the operator and the clock on a real database, some of them at once, each
audited half way and at its end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from escrow import database, ids, log, terms
from escrow.access import CLOCK, PROVIDER, Actor
from escrow.accounts.commands import AccountCommand, ConnectPayee, DisableAccount, EnableAccount, NotePayee
from escrow.agreement import commands as c
from escrow.agreement.state import Contract, Surroundings
from escrow.agreement.step import step
from escrow.audit import audit
from escrow.erasure import erase
from escrow.errors import DomainError
from escrow.ids import Kind
from escrow.money import Money
from escrow.pipeline import ContractOutcome, run
from escrow.states import ActionKind, OrderKind, OrderOutcome, ReversalOutcome
from escrow.store.read import load_all
from escrow.terms import Limits, Terms
from tests.chance import often
from tests.escrow.agreement.facts import Clock, Piece, Quarrel, Sending
from tests.escrow.agreement.moves import LAST_WORDS, Moves
from tests.escrow.agreement.stage import Story
from tests.factories import Deal, Deployment, advance_clock

HISTORIES = range(often(8, deep=100))
STEPS = 60
TRIES = 12
"""Of how many commands one is looked for that the law allows now."""


class Glance:
    """What the moves ask of the model, read off the contract as it is loaded."""

    def __init__(self, state: Contract) -> None:
        self._state = state
        kinds = (OrderKind.REFUND, OrderKind.PAYOUT)
        self.sendings = {
            one.id: Sending(one.kind.value, one.amount) for one in state.orders.values() if one.kind in kinds
        }

    def wished(self, refund_id: str) -> Piece | None:
        return self._held_by(refund_id)

    def argued(self, dispute_id: str) -> Piece | None:
        piece, dispute = self._held_by(dispute_id), self._state.disputes.get(dispute_id)
        if piece is None or dispute is None:
            return None
        offers = {side: offer for side in type(dispute.opened_by) if (offer := dispute.offer_of(side)) is not None}
        quarrel = Quarrel(dispute.id, dispute.opened_by, dispute.claim_minor, Clock(dispute.opened_at, None))
        return replace(piece, quarrel=replace(quarrel, offers=offers))

    def _held_by(self, hold_id: str) -> Piece | None:
        found = [one for one in self._state.milestones if one.hold_id == hold_id]
        return Piece(found[0].id, found[0].amount_minor, held=found[0].held_minor) if found else None


class Dice(Moves):
    """Whatever anybody might do next to one contract, sensible or not."""

    def __init__(self, there: Deployment, deal: Deal, seed: int) -> None:
        self.there, self.deal, self.chance = there, deal, random.Random(seed)
        self.story = Story(fresh=ids.new)
        self.around: Surroundings

    @property
    def model(self) -> Glance:  # type: ignore[override]
        return Glance(self.story.state)

    async def commands(self) -> list[tuple[c.Command, Actor]]:
        """One command or a few, to be given at once."""
        (loaded,) = await load_all([self.deal.id])
        self.story.contract, self.around = loaded.state, loaded.around
        deposits = await self._rows("SELECT id, charge_minor, currency FROM deposits WHERE contract_id = $1")
        orders = await self._rows(
            "SELECT id, deposit_id FROM payment_orders WHERE contract_id = $1 AND kind <> 'DEPOSIT'"
        )
        return [self._command(deposits[-3:], orders[-3:]) for _ in range(self.chance.choice((1, 1, 1, 2, 3)))]

    async def _rows(self, sql: str) -> list[database.Record]:
        return await database.fetch(f"{sql} ORDER BY id", self.deal.id)

    def _command(self, deposits: list[database.Record], orders: list[database.Record]) -> tuple[c.Command, Actor]:
        chance = self.chance.random()
        if chance < 0.25 and deposits:
            return self._of_a_deposit(self.chance.choice(deposits))
        if chance < 0.4 and orders:
            return self._of_an_order(*self.chance.choice(orders))
        if chance < 0.44:
            return c.ApplyDeadlines(contract_id=self.deal.id), CLOCK
        return self._asked_for()

    def _asked_for(self) -> tuple[c.Command, Actor]:
        """What the law allows now, if it is soon found; else something."""
        plain = self.plain_commands()
        command = plain[0]
        for command in self.chance.sample(plain, min(TRIES, len(plain))):
            if type(command).__name__ in LAST_WORDS and self.chance.random() < 0.75:
                continue
            for actor in (self.there.client, self.there.freelancer, self.there.operator):
                done = step(self.story.state, command, actor=actor, around=self.around, fresh=ids.new)
                if done.refusal is None:
                    return command, actor
        return command, self.there.client

    def _of_a_deposit(self, deposit: database.Record) -> tuple[c.Command, Actor]:
        chance, names = self.chance, {"contract_id": self.deal.id, "deposit_id": deposit["id"]}
        taken = Money(chance.choice((deposit["charge_minor"],) * 4 + (1,)), chance.choice(("USD",) * 9 + ("EUR",)))
        until = chance.choice((None, self.around.now + timedelta(hours=chance.randint(0, 90))))
        confirm = c.ConfirmDeposit(**names, amount=taken)
        resolved = c.ResolveReversal(deposit_id=deposit["id"], outcome=chance.choice(list(ReversalOutcome)))
        return chance.choice(
            (
                *((confirm, PROVIDER),) * 3,
                (c.FailDeposit(**names, reason="declined"), PROVIDER),
                (c.RequireAction(**names, kind=chance.choice(list(ActionKind)), until=until), PROVIDER),
                (c.EndAction(**names), PROVIDER),
                *((self._reversal(deposit), PROVIDER),) * 3,
                (self._cost(), PROVIDER),
                (resolved, self.there.operator),
            )
        )

    def _reversal(self, deposit: database.Record) -> c.ReverseDeposit:
        charge, chance = deposit["charge_minor"], self.chance
        return c.ReverseDeposit(
            contract_id=self.deal.id,
            deposit_id=deposit["id"],
            amount=Money(chance.choice((charge, charge, -(-charge // 3))), "USD"),
            reason="not me",
            reference=chance.choice(("one", "one", "two")),
            outcome=chance.choice((None, None, *ReversalOutcome)),
            evidence_due_at=chance.choice((None, self.around.now + timedelta(days=9))),
        )

    def _cost(self) -> c.BookCost:
        chance, movement = self.chance, ids.new(Kind.TRANSFER)
        fee = chance.choice((None, Money(chance.randint(1, 99), "EUR")))
        changed = chance.random() < 0.5 or fee is None
        given, got = (Money(900, "EUR"), Money(1_000, "USD")) if changed else (None, None)
        return c.BookCost(
            contract_id=self.deal.id,
            movement=movement,
            fee=fee,
            is_fee_returned=chance.random() < 0.3,
            given=given,
            got=got,
        )

    def _of_an_order(self, order_id: str, deposit_id: str | None) -> tuple[c.Command, Actor]:
        names = {"contract_id": self.deal.id, "order_id": order_id}
        failed = c.FailOrder(contract_id=self.deal.id, order_id=order_id, reason="closed")
        found_out = c.ResolveOrder(order_id=order_id, outcome=self.chance.choice(list(OrderOutcome)))
        return self.chance.choice(
            (
                *((c.ConfirmOrder(**names), PROVIDER),) * 2,
                *((failed, PROVIDER),) * 2,
                (c.OvertakeRefund(**names, deposit_id=deposit_id or "dep_none"), PROVIDER),
                (c.MarkStuck(**names, reason="who knows"), PROVIDER),
                (found_out, self.there.operator),
            )
        )

    async def change_the_world(self) -> None:
        """An account is barred or not, the provider takes payees on or not, pays the freelancer or not, takes much or little."""
        client_id, freelancer_id = (one.account_id or "" for one in (self.there.client, self.there.freelancer))
        account_id = self.chance.choice((client_id, freelancer_id))
        commands: list[tuple[AccountCommand, Actor]] = [
            (DisableAccount(account_id=account_id), self.there.operator),
            *((EnableAccount(account_id=one), self.there.operator) for one in (client_id, freelancer_id)),
            (ConnectPayee(account_id=freelancer_id, provider="sandbox"), self.there.freelancer),
            (self._payee(freelancer_id), PROVIDER),
            (self._payee(freelancer_id), PROVIDER),
        ]
        limits = self.chance.choice((Limits(), Limits(), Limits(50, 30_000)))
        terms.use(replace(terms.in_force(), needs_payees=self.chance.random() < 0.6, usual_limits=limits))
        await attempt(*self.chance.choice(commands))

    def _payee(self, account_id: str) -> NotePayee:
        can_be_paid = self.chance.random() < 0.6
        missing = () if can_be_paid else ("external_account",)
        return NotePayee(
            account_id=account_id, provider="sandbox", payee_id="acct_1", can_be_paid=can_be_paid, missing=missing
        )


async def attempt(command: c.Command | AccountCommand, by: Actor) -> object:
    """What came of it: an outcome, or a refusal."""
    try:
        return await run(command, by=by)
    except DomainError as refusal:
        return refusal


@pytest.fixture
def _usual_terms() -> Iterator[None]:
    """What the provider allows is as it was, afterwards."""
    yield
    terms.use(Terms())


@pytest.mark.usefixtures("database", "_usual_terms")
@pytest.mark.parametrize("seed", HISTORIES)
async def test_after_any_history_the_tables_are_what_the_log_gives(seed: int) -> None:
    terms.use(Terms(usual_hold_limit=timedelta(days=55) if seed % 2 else None))
    there = await Deployment.make()
    begin = there.activate if seed % 4 else there.propose
    dice = Dice(there, await begin("250.00", "500.00", "100.00"), seed)
    outcomes: list[object] = []
    for number in range(STEPS):
        given = await dice.commands()
        outcomes += await asyncio.gather(*(attempt(command, by) for command, by in given))
        if dice.chance.random() < 0.05:
            await advance_clock(hours=dice.chance.choice((1, 71, 73, 14 * 24)))
        if dice.chance.random() < 0.1:
            await dice.change_the_world()
        if number % 7 == 0:
            await log.sequence(limit=dice.chance.randint(1, 20))
        if number == STEPS // 2:
            assert [str(difference) async for difference in audit()] == []
    assert sum(isinstance(one, ContractOutcome) for one in outcomes) > STEPS // 3
    assert [str(difference) async for difference in audit()] == []
    deposits = "SELECT count(*) FROM payment_orders WHERE state = 'STARTED' AND kind = 'DEPOSIT'"
    if await database.fetch_value(deposits) == 0:
        await erase(dice.deal.id)
        assert [str(difference) async for difference in audit()] == []
