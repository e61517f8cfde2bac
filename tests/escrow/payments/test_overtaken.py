"""Refunds whose charge the client's bank takes back before they are carried out: nobody gets the money twice."""

from __future__ import annotations

import asyncio
import time

import pytest

from escrow.access import PROVIDER
from escrow.agreement import commands as c
from escrow.audit import audit
from escrow.database import fetch, fetch_value
from escrow.money import Money
from escrow.payments import orders, overtaken
from escrow.payments.sandbox import Sandbox
from escrow.pipeline import run
from escrow.states import OrderOutcome, OrderState, ReversalOutcome
from tests.escrow.payments.stage import Deal, age_calls, make_due, order, settle, strike
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.usefixtures("database")

PRICE, FAILING = "100.00", "140.01"
"""By its last digits the sandbox fails refunds of the second sum."""


async def given_back(amount: str, sandbox: Sandbox) -> tuple[Deal, str]:
    """A milestone that was funded and given back, and the order of that, which nobody has called yet."""
    deal = await strike(amount, "40.05")
    await until(await deal.fund(), sandbox, OrderState.PAID)
    await run(c.GiveRefund(milestone_id=deal.contract.milestone()), by=deal.contract.freelancer)
    return deal, str(await fetch_value("SELECT id FROM payment_orders WHERE kind = 'REFUND'"))


async def until(order_id: str, sandbox: Sandbox, state: OrderState) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (await order(order_id))["state"] != state:
        assert time.monotonic() < deadline, "it never came to that"
        await settle()
        await look(order_id, sandbox)
        await asyncio.sleep(0.02)


async def look(order_id: str, sandbox: Sandbox) -> None:
    """A worker's turn at the order."""
    await make_due(order_id)
    for claimed in await orders.claim(10):
        assert await orders.attend(claimed, sandbox)


async def take_back(deal: Deal, amount: str, outcome: ReversalOutcome | None = None) -> None:
    """What the provider tells of the bank."""
    command = c.ReverseDeposit(
        contract_id=deal.id,
        deposit_id=str(await fetch_value("SELECT id FROM deposits")),
        amount=Money(round(float(amount) * 100), "USD"),
        reason="not me",
        reference="du_1",
        outcome=outcome,
    )
    await run(command, by=PROVIDER)


async def asked_for() -> int:
    """How many refunds the provider was asked for, by its own books and by our notes of calls."""
    noted = await fetch_value("SELECT count(*) FROM provider_calls WHERE step = 'REFUND'")
    assert await fetch_value("SELECT count(*) FROM sandbox_charges WHERE kind = 'REFUND'") == noted
    return int(noted)


async def all_is_even(deal: Deal) -> None:
    """The client has the money, once, and the operator has lost nothing."""
    assert [await deal.balance(account) for account in ("chargeback", "transit", "payable", "clearing")] == [0] * 4
    assert [difference async for difference in audit()] == []


async def test_while_it_is_argued_about_no_refund_is_asked_for_and_once_it_is_won_it_goes_on(sandbox: Sandbox) -> None:
    deal, refund = await given_back(PRICE, sandbox)
    await take_back(deal, PRICE)
    for _ in range(2):
        await look(refund, sandbox)
    waiting = await order(refund)
    assert (waiting["state"], waiting["explanation"], await asked_for()) == ("STARTED", overtaken.WAITS, 0)
    assert waiting["due_at"] is not None
    assert not waiting["is_stuck"]
    await take_back(deal, PRICE, ReversalOutcome.WON)
    await until(refund, sandbox, OrderState.PAID)
    assert await asked_for() == 1
    await all_is_even(deal)


async def test_what_is_lost_the_client_has_from_the_bank_and_it_is_never_asked_for(sandbox: Sandbox) -> None:
    deal, refund = await given_back(PRICE, sandbox)
    await take_back(deal, PRICE, ReversalOutcome.LOST)
    await look(refund, sandbox)
    found = await order(refund)
    assert (found["state"], found["due_at"], await asked_for()) == ("ABANDONED", None, 0)
    assert (await deal.contract.types())[-1] == "refund.overtaken"
    await all_is_even(deal)


async def test_a_refund_that_failed_before_the_bank_took_its_charge_is_not_tried_again(sandbox: Sandbox) -> None:
    deal, refund = await given_back(FAILING, sandbox)
    await until(refund, sandbox, OrderState.FAILED)
    tried = await asked_for()
    await take_back(deal, FAILING)
    for _ in range(2):
        await age_calls(refund, "1 hour")
        await look(refund, sandbox)
    assert ((await order(refund))["state"], await asked_for()) == ("FAILED", tried)
    await take_back(deal, FAILING, ReversalOutcome.LOST)
    await look(refund, sandbox)
    assert ((await order(refund))["state"], await asked_for()) == ("ABANDONED", tried)
    await all_is_even(deal)


async def test_what_a_person_was_asked_about_ends_once_they_say_that_it_never_happened(sandbox: Sandbox) -> None:
    deal, refund = await given_back(PRICE, sandbox)
    await run(c.MarkStuck(contract_id=deal.id, order_id=refund, reason="nobody knows"), by=PROVIDER)
    await take_back(deal, PRICE, ReversalOutcome.LOST)
    await look(refund, sandbox)
    assert (await order(refund))["is_stuck"], "it may have been paid"
    never = c.ResolveOrder(order_id=refund, outcome=OrderOutcome.NEVER_HAPPENED)
    await run(never, by=deal.deployment.operator)
    await look(refund, sandbox)
    assert ((await order(refund))["state"], await asked_for()) == ("ABANDONED", 0)
    await all_is_even(deal)


async def test_what_may_have_been_called_is_brought_to_its_end_first(sandbox: Sandbox) -> None:
    """A worker died with the call on its way: it may turn up, and then the money has left twice."""
    deal, refund = await given_back(PRICE, sandbox)
    await make_due(refund)
    assert len(await orders.claim(10)) == 1
    await take_back(deal, PRICE, ReversalOutcome.LOST)
    await fetch("UPDATE payment_orders SET lease_token = NULL")
    await until(refund, sandbox, OrderState.PAID)
    assert await asked_for() == 1
    assert [await deal.balance(account) for account in ("chargeback", "transit", "payable")] == [-100_00, 0, 0]


async def test_of_a_part_that_the_bank_took_the_rest_goes_back_by_another_order(sandbox: Sandbox) -> None:
    deal, refund = await given_back(PRICE, sandbox)
    await take_back(deal, "30.00", ReversalOutcome.LOST)
    await look(refund, sandbox)
    assert (await order(refund))["state"] == "ABANDONED"
    rest = str(await fetch_value("SELECT id FROM payment_orders WHERE kind = 'REFUND' AND id <> $1", refund))
    assert ((await order(rest))["amount_minor"], await deal.balance("transit")) == (70_00, 70_00)
    await until(rest, sandbox, OrderState.PAID)
    assert await asked_for() == 1
    await all_is_even(deal)


async def test_so_is_what_came_with_more_than_was_asked_for(sandbox: Sandbox) -> None:
    deal = await strike(PRICE, "40.05")
    deposit_id, came = await deal.contract.fund(), Money(130_00, "USD")
    await fetch("UPDATE payment_orders SET due_at = NULL")
    await run(c.ConfirmDeposit(contract_id=deal.id, deposit_id=deposit_id, amount=came), by=PROVIDER)
    await take_back(deal, "130.00", ReversalOutcome.LOST)
    refund = str(await fetch_value("SELECT id FROM payment_orders WHERE kind = 'REFUND'"))
    await look(refund, sandbox)
    assert ((await order(refund))["state"], await asked_for()) == ("ABANDONED", 0)
    await all_is_even(deal)
