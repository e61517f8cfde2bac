"""Orders carried out with Stripe: from the deposit to the bank, whatever is lost on the way, and what is refused before."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

import pytest

from escrow import terms
from escrow.agreement import commands as c
from escrow.database import fetch, fetch_value
from escrow.errors import InvalidInput
from escrow.payments import orders
from escrow.payments.results import Hint
from escrow.payments.stripe.adapter import Stripe
from escrow.pipeline import run
from tests.escrow.payments.stage import Deal, order, strike
from tests.patience import PATIENCE_SECONDS
from tests.stand_ins.stripe import payees, payments, reversals
from tests.stand_ins.stripe.hostility import Hostility
from tests.stand_ins.stripe.serving import Playing


async def until(stripe: Stripe, check: Callable[[], Awaitable[bool]]) -> None:
    """What a worker does without its patience, until something is true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not await check():
        assert time.monotonic() < deadline, "it never came true"
        await fetch("UPDATE payment_orders SET due_at = now() WHERE due_at IS NOT NULL AND lease_token IS NULL")
        for claimed in await orders.claim(10):
            assert await orders.attend(claimed, stripe)
        await asyncio.sleep(0.01)


def is_in(order_id: str, state: str) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return bool((await order(order_id))["state"] == state)

    return check


def onboarded(stand_in: Playing, deal: Deal) -> str:
    """The freelancer has an account at Stripe, by our own name for them."""
    name = str(deal.freelancer_id)
    account = payees.create_account(stand_in.books, {"capabilities": {"transfers": {"requested": True}}})
    stand_in.books.put("account", account | {"id": name})
    payees.told(stand_in.books, name)
    return name


LOSING: Final = Hostility(seed=5, lost_requests=0.2, lost_answers=0.3, conflicts=0.1, too_many=0.1)


@pytest.mark.parametrize("hostility", [Hostility(), LOSING])
async def test_a_deposit_is_released_and_paid_out_once_whatever_is_lost(
    database: str, stripe: Stripe, stand_in: Playing, hostility: Hostility
) -> None:
    deal = await strike("100.00")
    onboarded(stand_in, deal)
    stand_in.books.hostility = hostility
    deposit = await deal.fund("pm_card_bypassPending")
    await until(stripe, is_in(deposit, "PAID"))
    await deal.approve()
    payout = await deal.request_payout()

    async def paid() -> bool:
        stand_in.pass_time(120)
        return await is_in(payout, "PAID")()

    await until(stripe, paid)
    stand_in.books.hostility = Hostility()
    assert stand_in.platform_has() == -payments.fee_of(10_000)
    assert [one["amount"] for one in stand_in.books.of("payout", str(deal.freelancer_id)).values()] == [10_000]
    assert len([one for one in stand_in.books.of("charge").values() if one["paid"]]) == 1


LATER = """
SELECT due_at > (SELECT max(called_at) FROM provider_calls WHERE order_id = $1) + interval '30 seconds'
FROM payment_orders WHERE id = $1
"""


async def test_a_payout_that_lacks_its_money_after_that_was_to_come_waits_ever_longer(
    database: str, stripe: Stripe, stand_in: Playing
) -> None:
    deal = await strike("100.00")
    name = onboarded(stand_in, deal)
    await until(stripe, is_in(await deal.fund("pm_card_bypassPending"), "PAID"))
    await deal.approve()
    payout = await deal.request_payout()
    stand_in.books.move(name, "adjustment", -1_00, "usd", source="what_the_payee_owed")
    (claimed,) = await orders.claim(10)
    assert await orders.attend(claimed, stripe)
    row = await order(payout)
    assert row["state"] == "STARTED"
    assert "balance_insufficient" in row["explanation"]
    assert await fetch_value(LATER, payout)
    assert await orders.claim(10) == []
    # Once it has its money it goes on.
    stand_in.books.move(name, "adjustment", 1_00, "usd", source="what_the_payee_paid")

    async def paid() -> bool:
        stand_in.pass_time(120)
        return await is_in(payout, "PAID")()

    await until(stripe, paid)
    assert len(stand_in.books.of("transfer")) == 1


async def test_a_payout_that_comes_back_after_it_was_paid_is_payable_again_and_its_money_is_with_the_platform(
    database: str, stripe: Stripe, stand_in: Playing
) -> None:
    deal = await strike("100.00")
    name = onboarded(stand_in, deal)
    stand_in.books.banks[name] = "closed"
    await until(stripe, is_in(await deal.fund("pm_card_bypassPending"), "PAID"))
    await deal.approve()
    had = stand_in.platform_has()
    payout = await deal.request_payout()

    async def paid() -> bool:
        stand_in.pass_time(120)
        return await is_in(payout, "PAID")()

    await until(stripe, paid)
    stand_in.pass_time(3_600)
    await orders.nudge([Hint(order_id=payout)])
    await until(stripe, is_in(payout, "FAILED"))
    assert await deal.balance("payable") == 10_000
    assert stand_in.platform_has() == had


async def test_money_goes_back_to_the_card_that_it_came_from(database: str, stripe: Stripe, stand_in: Playing) -> None:
    deal = await strike("100.00")
    deposit = await deal.fund("pm_card_visa")
    await deal.cancel()
    await until(stripe, is_in(deposit, "ABANDONED"))
    assert stand_in.platform_has() == 0
    deposit = await deal.fund("pm_card_visa")
    await until(stripe, is_in(deposit, "PAID"))
    await run(c.GiveRefund(milestone_id=deal.contract.milestone(1)), by=deal.contract.freelancer)
    refund = str(await fetch_value("SELECT id FROM payment_orders WHERE kind = 'REFUND'"))
    await until(stripe, is_in(refund, "PAID"))
    assert stand_in.platform_has() == -payments.fee_of(10_000)


async def test_a_dispute_freezes_the_milestone_and_winning_it_lets_it_go_on(
    database: str, stripe: Stripe, stand_in: Playing
) -> None:
    deal = await strike("100.00")
    deposit = await deal.fund("pm_card_visa")
    await until(stripe, is_in(deposit, "PAID"))
    charge = next(one for one in stand_in.books.of("charge").values())
    reversals.open_dispute(stand_in.books, charge["id"])
    await orders.nudge([Hint(order_id=deposit)])

    async def heard(type_of_event: str) -> bool:
        return bool(await deal.events(type_of_event))

    await until(stripe, lambda: heard("deposit.reversed"))
    reversals.close(stand_in.books, next(iter(stand_in.books.of("dispute").values())), "won")
    await orders.nudge([Hint(order_id=deposit)])
    await until(stripe, lambda: heard("deposit.reinstated"))
    await deal.approve()
    assert await deal.milestone_state() == "RELEASED"


async def test_the_end_of_a_dispute_is_heard_of_while_a_later_one_of_the_same_charge_goes_on(
    database: str, stripe: Stripe, stand_in: Playing
) -> None:
    deal = await strike("100.00")
    deposit = await deal.fund("pm_card_visa")
    await until(stripe, is_in(deposit, "PAID"))
    charge = next(iter(stand_in.books.of("charge").values()))
    for part in ("3000", "2000"):
        charge["disputed"] = False
        reversals.open_dispute(stand_in.books, charge["id"], part)
    told = ("deposit.reversed", "deposit.reinstated", "deposit.reversal_resolved")

    async def heard(*types: str) -> bool:
        await orders.nudge([Hint(order_id=deposit)])
        return await deal.events(*told) == list(types)

    await until(stripe, lambda: heard(*told[:1] * 2))
    first, second = stand_in.books.of("dispute").values()
    reversals.close(stand_in.books, first, "won")
    await until(stripe, lambda: heard(*told[:1] * 2, *told[1:]))
    reversals.close(stand_in.books, second, "won")
    await until(stripe, lambda: heard(*told[:1] * 2, *told[1:] * 2))
    await deal.approve()
    assert await deal.milestone_state() == "RELEASED"


@pytest.fixture
def stripes_terms(stripe: Stripe) -> Iterator[None]:
    """Decisions of this process go by what Stripe allows."""
    terms.use(stripe.terms)
    yield
    terms.use(terms.Terms())


@pytest.mark.usefixtures("stripes_terms")
async def test_what_stripe_would_not_take_is_refused_before_anything_is_written_or_asked(
    database: str, stand_in: Playing
) -> None:
    deal = await strike("0.49", "1000000.00")
    with pytest.raises(InvalidInput):
        await deal.fund("pm_card_visa")
    assert await fetch_value("SELECT count(*) FROM payment_orders") == 0
    assert stand_in.stand_in.requests == 0
