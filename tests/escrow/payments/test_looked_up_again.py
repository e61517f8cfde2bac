"""Orders that nobody comes back to by themselves are looked up again; what has a date of its own keeps it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from escrow.agreement import commands as c
from escrow.database import fetch, fetch_value
from escrow.payments import orders
from escrow.payments.calls import PayoutRequest
from escrow.payments.results import Answer, NotYet
from escrow.payments.sandbox import Sandbox
from escrow.pipeline import run
from tests.escrow.payments.stage import Deal, age_calls, claim_one, finished, make_due, order, returned, strike, work

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
async def deal() -> Deal:
    return await strike("100.00", "40.05")


async def test_reconciling_has_every_unsettled_order_looked_up_and_no_other(deal: Deal, sandbox: Sandbox) -> None:
    never, other = await deal.fund("tok_never"), await deal.another("30.00", "40.00")
    held = await other.fund()
    await work(sandbox, until=finished(held))
    await fetch("UPDATE payment_orders SET due_at = now() + interval '6 hours' WHERE id = $1", never)
    assert await orders.reconcile() == 1
    soon = "SELECT due_at < now() + interval '301 seconds' FROM payment_orders WHERE id = $1"
    assert await fetch_value(soon, never)
    assert (await order(held))["due_at"] is None
    assert await orders.reconcile() == 0
    # A deposit whose money is held may have been taken back unheard.
    assert await orders.reconcile(held=True) == 1
    assert await fetch_value(soon, held)
    before = await other.events("deposit.confirmed", "deposit.reversed")
    await work(sandbox, until=finished(held))
    assert await other.events("deposit.confirmed", "deposit.reversed") == before
    await other.approve()
    assert await orders.reconcile(held=True) == 0
    # A payout that was paid may have come back unheard.
    payout = await other.request_payout()
    await work(sandbox, until=finished(payout))
    assert await orders.reconcile(held=True) == 1
    assert await fetch_value(soon, payout)


async def test_what_was_paid_lately_is_looked_up_again_however_long_ago_it_was_asked_for(
    deal: Deal, sandbox: Sandbox
) -> None:
    await work(sandbox, until=finished(await deal.fund()))
    await deal.approve()
    payout = await deal.request_payout("60.00")
    await work(sandbox, until=finished(payout))
    await fetch("UPDATE payment_orders SET created_at = created_at - interval '20 days'")
    assert await orders.reconcile(held=True) == 1
    assert (await order(payout))["due_at"] is not None
    await work(sandbox, until=finished(payout))
    await age_calls(payout, "15 days")
    assert await orders.reconcile(held=True) == 0


async def test_a_refund_is_looked_up_for_as_long_as_it_may_fail(deal: Deal, sandbox: Sandbox) -> None:
    await work(sandbox, until=finished(await deal.fund()))
    await run(c.GiveRefund(milestone_id=deal.contract.milestone()), by=deal.contract.freelancer)
    refund = await returned(deal)
    await work(sandbox, until=finished(refund))
    await age_calls(refund, "29 days")
    assert await orders.reconcile(held=True) == 1
    await work(sandbox, until=finished(refund))
    await age_calls(refund, "2 days")
    assert await orders.reconcile(held=True) == 0


async def test_reconciling_finds_an_order_that_lost_its_turn_and_leaves_leases_alone(
    deal: Deal, sandbox: Sandbox
) -> None:
    order_id = await deal.fund()
    await fetch("UPDATE payment_orders SET due_at = NULL")
    assert await orders.reconcile() == 1
    await make_due(order_id)
    await claim_one()
    await fetch("UPDATE payment_orders SET due_at = now() + interval '6 hours'")
    assert await orders.reconcile() == 0
    await fetch("UPDATE payment_orders SET lease_token = NULL")
    await work(sandbox, until=finished(order_id))
    assert await deal.milestone_state() == "ACTIVE"


class Dated(Sandbox):
    """Pays no bank before a date, which it may name."""

    date: datetime | None = None

    async def payout(self, request: PayoutRequest) -> Answer:
        return NotYet("the balance comes later", self.date)


async def test_a_payout_whose_date_the_provider_named_waits_for_it_however_far_that_is(
    deal: Deal, sandbox: Sandbox
) -> None:
    await work(sandbox, until=finished(await deal.fund()))
    await deal.approve()
    payout, provider = await deal.request_payout(), Dated()
    provider.date = datetime.now(UTC) + timedelta(days=20)

    async def attend() -> tuple[bool, float | None]:
        await make_due(payout)
        assert await orders.attend(await claim_one(), provider)
        row = await order(payout)
        due = "SELECT extract(epoch FROM due_at - now())::float8 / 3600 FROM payment_orders WHERE id = $1"
        return row["is_stuck"], await fetch_value(due, payout)

    for _ in ("at once", "and after weeks"):
        is_stuck, hours = await attend()
        assert not is_stuck
        assert hours is not None
        assert hours > 19 * 24
        assert await orders.reconcile() == 0, "until then it is called no more, and there is nothing to look up"
        await age_calls(payout, "15 days")
    provider.date -= timedelta(days=21)
    assert await attend() == (True, None), "the date is past, and weeks as well"


async def test_what_cannot_be_done_yet_is_tried_once_an_hour_at_least(deal: Deal, sandbox: Sandbox) -> None:
    await work(sandbox, until=finished(await deal.fund()))
    await deal.approve()
    payout = await deal.request_payout()
    await fetch("UPDATE payment_orders SET attempts = 20 WHERE id = $1", payout)
    assert await orders.attend(await claim_one(), Dated())
    soon = "SELECT due_at BETWEEN now() + interval '1 minute' AND now() + interval '1 hour' FROM payment_orders WHERE id = $1"
    assert await fetch_value(soon, payout)
    assert await orders.reconcile() == 0
