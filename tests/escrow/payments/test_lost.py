"""What the provider did for orders that a cut lost is found before it is done once more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from datetime import datetime

import pytest
import pytest_asyncio

from escrow import terms
from escrow.agreement import commands as c
from escrow.audit import audit
from escrow.database import execute, fetch, fetch_value
from escrow.payments import lost, orders, reconciliation
from escrow.payments.calls import RefundRequest, Step, key_of
from escrow.payments.movements import Movement
from escrow.payments.stripe.adapter import Stripe
from escrow.pipeline import run
from tests.escrow.payments.losing import (
    CARD,
    SUM,
    Faltering,
    brought,
    charged,
    cut,
    earned,
    funded,
    sent,
    strange,
    turn,
    work,
)
from tests.escrow.payments.stage import order, strike
from tests.stand_ins.stripe import payouts
from tests.stand_ins.stripe.books import Clock
from tests.stand_ins.stripe.serving import Playing, playing


@pytest_asyncio.fixture(loop_scope="session")
async def stand_in() -> AsyncIterator[Playing]:
    async with playing(clock=Clock(offset=0, real=time.time)) as one:
        yield one
        assert one.violations == []


also_interrupted = pytest.mark.parametrize("stripe", [Stripe, Faltering], indirect=True)


@pytest_asyncio.fixture(loop_scope="session")
async def stripe(stand_in: Playing, request: pytest.FixtureRequest) -> AsyncIterator[Stripe]:
    adapter: Stripe = getattr(request, "param", Stripe)(stand_in.access())
    yield adapter
    await adapter.close()


@pytest.fixture(autouse=True)
def in_force(stripe: Stripe) -> Iterator[None]:
    terms.use(stripe.terms)
    yield
    terms.use(terms.Terms())


async def test_nothing_is_called_before_the_books_are_read(database: str, stripe: Stripe) -> None:
    deal = await strike("100.00")
    order_id = await deal.fund(CARD)
    await cut()
    assert not await lost.read_books(stripe), "a worker of before may still be calling"
    assert await orders.claim(10, provider="stripe") == []
    await execute("UPDATE log_cuts SET books_due_at = now()")
    assert await lost.read_books(stripe)
    assert [one.id for one in await orders.claim(10, provider="stripe")] == [order_id]


async def test_one_worker_reads_the_books_for_all(database: str, stripe: Stripe, stand_in: Playing) -> None:
    class Slow(Stripe):
        """Tells its books when it is let."""

        asked, may_tell = asyncio.Event(), asyncio.Event()

        async def movements(self, since: datetime) -> AsyncIterator[Movement]:
            assert not self.asked.is_set()
            self.asked.set()
            await self.may_tell.wait()
            async for one in super().movements(since):
                yield one

    await strike("100.00")
    await cut()
    await execute("UPDATE log_cuts SET books_due_at = now()")
    slow = Slow(stand_in.access())
    first = asyncio.create_task(lost.read_books(slow))
    await slow.asked.wait()
    assert not await lost.read_books(slow)
    slow.may_tell.set()
    assert await first
    assert await lost.read_books(slow)
    await slow.close()


async def test_what_moved_before_a_cut_that_is_noticed_meanwhile_is_read_before_anything_is_called(
    database: str, stripe: Stripe, stand_in: Playing
) -> None:
    class Meanwhile(Stripe):
        """Tells its books, and somebody notices another cut."""

        async def movements(self, since: datetime) -> AsyncIterator[Movement]:
            async for one in super().movements(since):
                yield one
            await cut()

    deal = await strike("100.00")
    order_id = await deal.fund(CARD)
    await cut()
    await execute("UPDATE log_cuts SET books_due_at = now()")
    slow = Meanwhile(stand_in.access())
    assert not await lost.read_books(slow)
    await slow.close()
    assert await fetch_value("SELECT count(*) FROM log_cuts WHERE books_read_at IS NULL") == 1
    assert await orders.claim(10, provider="stripe") == []
    await execute("UPDATE log_cuts SET books_due_at = now()")
    assert await lost.read_books(stripe)
    assert [one.id for one in await orders.claim(10, provider="stripe")] == [order_id]


@pytest.mark.parametrize("nothing_was_kept", [False, True])
async def test_a_deposit_that_is_made_anew_takes_up_the_charge_of_the_lost_one(
    database: str, stripe: Stripe, stand_in: Playing, *, nothing_was_kept: bool
) -> None:
    deal, gone = await strike("100.00"), strange()
    charge = await charged(stripe, deal, gone)
    await cut()
    if nothing_was_kept:
        await execute("UPDATE log_cuts SET kept_at = NULL, kept_position = 0 WHERE first_position > 1")
    order_id = await deal.fund("pm_card_visa")
    await work(stripe, stand_in, until="PAID", order_id=order_id)
    assert (await order(order_id))["known_as"] == gone
    assert list(stand_in.books.of("payment_intent")) == [charge]
    assert await deal.milestone_state() == "ACTIVE"
    assert [one async for one in audit()] == []
    assert await lost.everything() == []


async def test_a_lost_order_is_taken_up_with_its_contract_beside_it(
    database: str, stripe: Stripe, stand_in: Playing
) -> None:
    deal, gone = await strike("100.00"), strange()
    await charged(stripe, deal, gone)
    await cut()
    order_id = await deal.fund(CARD)
    await work(stripe, stand_in, until="PAID", order_id=order_id)
    assert await fetch_value("SELECT array_agg(contract_id) FROM provider_calls WHERE order_id = $1", order_id) == [
        deal.id
    ]


async def test_a_charge_whose_money_was_changed_for_the_balance_is_known_by_what_the_client_paid(
    database: str, stripe: Stripe, stand_in: Playing
) -> None:
    deal, gone = await strike("100.00"), strange()
    charge = await charged(stripe, deal, gone)
    await cut()
    await execute("UPDATE log_cuts SET books_due_at = now()")
    assert await lost.read_books(stripe)
    await execute(
        "UPDATE provider_movements SET amount_minor = 9200, net_minor = 9200 - fee_minor, currency = 'EUR',"
        " changed_minor = amount_minor, changed_currency = currency WHERE order_id = $1",
        gone,
    )
    assert [one.amount for one in await lost.everything()] == [SUM]
    order_id = await deal.fund("pm_card_visa")
    await work(stripe, stand_in, until="PAID", order_id=order_id)
    assert (await order(order_id))["known_as"] == gone
    assert list(stand_in.books.of("payment_intent")) == [charge]


async def test_a_charge_that_went_back_is_no_deposit(database: str, stripe: Stripe, stand_in: Playing) -> None:
    deal, gone = await strike("100.00"), strange()
    charge = await charged(stripe, deal, gone)
    refund = strange()
    await stripe.refund(
        RefundRequest(key=key_of(refund, 1, Step.REFUND), order_id=refund, group=deal.id, amount=SUM, charge_id=charge)
    )
    await cut()
    order_id = await deal.fund(CARD)
    await work(stripe, stand_in, until="PAID", order_id=order_id)
    assert (await order(order_id))["known_as"] is None
    assert len(stand_in.books.of("payment_intent")) == 2
    # And the refund of another charge is none of this one: the client waits, and isn't done out of the money.
    await run(c.GiveRefund(milestone_id=deal.contract.milestone()), by=deal.contract.freelancer)
    again = str(await fetch_value("SELECT id FROM payment_orders WHERE kind = 'REFUND'"))
    await turn(stripe)
    row = await order(again)
    assert (row["state"], row["known_as"], row["explanation"]) == ("STARTED", None, lost.WAITS)
    assert await lost.settle(refund)
    await work(stripe, stand_in, until="PAID", order_id=again)
    assert len(stand_in.books.of("refund")) == 2


async def test_a_payout_that_is_asked_for_anew_is_the_lost_one_and_no_other_goes_before_it(
    database: str, stripe: Stripe, stand_in: Playing
) -> None:
    deal, payee = await earned(stripe, stand_in)
    gone = strange()
    await sent(stripe, deal, gone, payee)
    await cut()
    part = await deal.request_payout("40.00")
    await execute("UPDATE log_cuts SET books_due_at = now()")
    assert await lost.read_books(stripe)
    await turn(stripe)
    row = await order(part)
    assert (row["state"], row["explanation"]) == ("STARTED", lost.WAITS), "another sum may be part of what went"
    assert len(stand_in.books.of("transfer")) == 1


async def test_a_payout_that_was_begun_before_is_only_looked_up_while_other_money_of_its_contract_is_lost(
    database: str, stripe: Stripe, stand_in: Playing
) -> None:
    deal, payee = await earned(stripe, stand_in, "100.00", "50.00")
    gone = strange()
    await work(stripe, stand_in, until="PAID", order_id=await deal.fund(CARD, position=2))
    part = await deal.request_payout("40.00")
    (begun,) = await orders.claim(10, provider="stripe", payees_of="stripe")
    assert (begun.id, len(begun.calls)) == (part, 1)
    await execute("UPDATE payment_orders SET lease_token = NULL WHERE id = $1", part)
    await sent(stripe, deal, gone, payee)
    await cut()
    await execute("UPDATE log_cuts SET books_due_at = now()")
    assert await lost.read_books(stripe)
    await turn(stripe)
    row = await order(part)
    assert (row["state"], row["explanation"]) == ("STARTED", lost.WAITS)
    assert len(stand_in.books.of("transfer")) == 1
    assert await lost.settle(gone)
    await work(stripe, stand_in, until="PAID", order_id=part)
    assert len(stand_in.books.of("transfer")) == 2


async def test_a_payout_of_the_same_sum_moves_nothing_more(database: str, stripe: Stripe, stand_in: Playing) -> None:
    deal, payee = await earned(stripe, stand_in)
    gone = strange()
    transfer = await sent(stripe, deal, gone, payee)
    await cut()
    order_id = await deal.request_payout()
    await work(stripe, stand_in, until="PAID", order_id=order_id)
    assert (await order(order_id))["known_as"] == gone
    assert list(stand_in.books.of("transfer")) == [transfer]
    assert len(stand_in.books.of("payout", payee)) == 1
    stripe_says = await reconciliation.reconcile(stripe, settling=-stripe.ahead * 2)
    assert stripe_says.found == []
    assert [one async for one in audit()] == []


async def test_no_bank_is_paid_twice_by_a_payout_whose_lost_one_had_come_to_another_attempt(
    database: str, stripe: Stripe, stand_in: Playing
) -> None:
    deal, payee = await earned(stripe, stand_in)
    gone = strange()
    await sent(stripe, deal, gone, payee, attempt=2)
    stand_in.books.move(payee, "payment", 100_00, "usd", source="py_of_another_contract")
    await cut()
    order_id = await deal.request_payout()
    await work(stripe, stand_in, until="PAID", order_id=order_id)
    assert (await order(order_id))["known_as"] == gone
    assert len(stand_in.books.of("payout", payee)) == 1


async def test_a_payout_that_goes_on_as_a_lost_one_is_a_persons_where_the_provider_may_have_forgotten_its_keys(
    database: str, stripe: Stripe, stand_in: Playing
) -> None:
    deal, payee = await earned(stripe, stand_in)
    gone = strange()
    await brought(stripe, deal, gone, payee)
    await cut()
    await execute(
        "UPDATE log_cuts SET kept_at = kept_at - interval '2 days', books_due_at = now() WHERE kept_at IS NOT NULL"
    )
    assert await lost.read_books(stripe)
    order_id = await deal.request_payout()
    for _ in ("it is taken up", "and goes on"):
        await turn(stripe)
    row = await order(order_id)
    assert (row["known_as"], row["is_stuck"]) == (gone, True)
    assert len(stand_in.books.of("payout", payee)) == 0


async def test_what_came_back_at_the_provider_holds_nothing_up(
    database: str, stripe: Stripe, stand_in: Playing
) -> None:
    deal, payee = await earned(stripe, stand_in)
    gone = strange()
    payouts.reverse(stand_in.books, await brought(stripe, deal, gone, payee), {})
    await cut()
    order_id = await deal.request_payout()
    await work(stripe, stand_in, until="PAID", order_id=order_id)
    assert (await order(order_id))["known_as"] is None
    assert len(stand_in.books.of("transfer")) == 2


async def test_an_order_of_before_is_found_by_its_own_key_though_the_books_never_heard_of_the_call(
    database: str, stripe: Stripe, stand_in: Playing
) -> None:
    deal, payee = await earned(stripe, stand_in)
    order_id = await deal.request_payout()
    await sent(stripe, deal, order_id, payee)
    await cut()
    stand_in.pass_time(3 * 86_400)  # the provider has forgotten the keys, and not what it did
    await work(stripe, stand_in, until="PAID", order_id=order_id)
    assert len(stand_in.books.of("transfer")) == 1
    assert len(stand_in.books.of("payout", payee)) == 1


async def over(order_id: str, step: Step, count: int) -> None:
    """As if so many attempts at a step had been refused before the cut."""
    await execute(
        "INSERT INTO provider_calls (contract_id, order_id, step, attempt, provider, is_over)"
        " SELECT contract_id, id, $2, generate_series(1, $3::int), 'stripe', true FROM payment_orders WHERE id = $1",
        order_id,
        step.value,
        count,
    )


@also_interrupted
@pytest.mark.parametrize("names_orders", [True, False])
async def test_a_transfer_of_before_is_found_by_the_books_or_by_its_order_whatever_attempt_it_was(
    database: str, stripe: Stripe, stand_in: Playing, *, names_orders: bool
) -> None:
    deal, payee = await earned(stripe, stand_in)
    order_id = await deal.request_payout()
    await over(order_id, Step.TRANSFER, 11)
    await sent(stripe, deal, order_id, payee, brought_by=60)
    stand_in.books.move("", "topup", 500_00, "usd", source="tu_of_others")
    await reconciliation.pull(stripe, reconciliation.BEGINNING)
    if not names_orders:
        await execute("UPDATE provider_movements SET order_id = NULL")
    await cut()
    stand_in.pass_time(3 * 86_400)  # the provider has forgotten the keys, and not what it did
    await work(stripe, stand_in, until="PAID", order_id=order_id)
    assert len(stand_in.books.of("transfer")) == 1
    assert len(stand_in.books.of("payout", payee)) == 1


@also_interrupted
@pytest.mark.parametrize("days", [0, 3])
async def test_a_payment_to_the_bank_is_found_by_its_order_whatever_attempt_it_was(
    database: str, stripe: Stripe, stand_in: Playing, *, days: int
) -> None:
    deal, payee = await earned(stripe, stand_in)
    order_id = await deal.request_payout()
    await over(order_id, Step.TRANSFER, 1)
    await over(order_id, Step.PAYOUT, 11)
    await execute(
        "UPDATE provider_calls SET is_over = false, provider_id = $1 WHERE order_id = $2 AND step = 'TRANSFER'",
        await sent(stripe, deal, order_id, payee, attempt=60),
        order_id,
    )
    stand_in.books.move(payee, "payment", 100_00, "usd", source="py_of_another_contract")
    await cut()
    stand_in.pass_time(days * 86_400)
    await execute("UPDATE log_cuts SET kept_at = kept_at - $1::int * interval '1 day'", days)
    await work(stripe, stand_in, until="PAID", order_id=order_id)
    assert len(stand_in.books.of("payout", payee)) == 1


@also_interrupted
async def test_a_refund_of_before_is_found_by_the_providers_books(
    database: str, stripe: Stripe, stand_in: Playing
) -> None:
    deal = await strike("100.00")
    deposit = await funded(stripe, stand_in, deal)
    await run(c.GiveRefund(milestone_id=deal.contract.milestone()), by=deal.contract.freelancer)
    refund = str(await fetch_value("SELECT id FROM payment_orders WHERE kind = 'REFUND'"))
    charge = await fetch_value("SELECT provider_id FROM provider_calls WHERE order_id = $1", deposit)
    key = key_of(refund, 60, Step.REFUND)
    await stripe.refund(RefundRequest(key=key, order_id=refund, group=deal.id, amount=SUM, charge_id=charge))
    await cut()
    stand_in.pass_time(3 * 86_400)
    await work(stripe, stand_in, until="PAID", order_id=refund)
    (row,) = await fetch("SELECT attempt, provider_id FROM provider_calls WHERE order_id = $1", refund)
    assert (row["attempt"], row["provider_id"]) == (1, next(iter(stand_in.books.of("refund"))))


async def test_a_lost_payout_is_taken_up_whatever_attempt_it_had_come_to(
    database: str, stripe: Stripe, stand_in: Playing
) -> None:
    deal, payee = await earned(stripe, stand_in)
    gone = strange()
    await sent(stripe, deal, gone, payee, brought_by=60, attempt=60)
    stand_in.books.move(payee, "payment", 100_00, "usd", source="py_of_another_contract")
    await cut()
    order_id = await deal.request_payout()
    await work(stripe, stand_in, until="PAID", order_id=order_id)
    assert (await order(order_id))["known_as"] == gone
    assert len(stand_in.books.of("transfer")) == 1
    assert len(stand_in.books.of("payout", payee)) == 1


async def test_a_lost_refund_is_taken_up_whatever_attempt_it_had_come_to(
    database: str, stripe: Stripe, stand_in: Playing
) -> None:
    deal, gone = await strike("100.00"), strange()
    deposit = await funded(stripe, stand_in, deal)
    charge = await fetch_value("SELECT provider_id FROM provider_calls WHERE order_id = $1", deposit)
    key = key_of(gone, 60, Step.REFUND)
    await stripe.refund(RefundRequest(key=key, order_id=gone, group=deal.id, amount=SUM, charge_id=charge))
    await cut()
    await run(c.GiveRefund(milestone_id=deal.contract.milestone()), by=deal.contract.freelancer)
    refund = str(await fetch_value("SELECT id FROM payment_orders WHERE kind = 'REFUND'"))
    await work(stripe, stand_in, until="PAID", order_id=refund)
    assert (await order(refund))["known_as"] == gone
    assert len(stand_in.books.of("refund")) == 1


async def test_a_cut_has_looked_at_again_what_was_paid_lately_however_long_ago_it_was_asked_for(
    database: str, stripe: Stripe, stand_in: Playing
) -> None:
    deal, _ = await earned(stripe, stand_in)
    payout = await deal.request_payout()
    await work(stripe, stand_in, until="PAID", order_id=payout)
    await execute("UPDATE payment_orders SET created_at = created_at - interval '20 days' WHERE id = $1", payout)
    await cut()
    await execute("UPDATE log_cuts SET books_due_at = now()")
    assert await lost.read_books(stripe)
    assert (await order(payout))["due_at"] is not None


async def test_a_deposit_of_before_is_found_in_the_providers_books(
    database: str, stripe: Stripe, stand_in: Playing
) -> None:
    deal = await strike("100.00")
    order_id = await deal.fund(CARD)
    charge = await charged(stripe, deal, order_id)
    await cut()
    stand_in.pass_time(3 * 86_400)
    await work(stripe, stand_in, until="PAID", order_id=order_id)
    assert list(stand_in.books.of("payment_intent")) == [charge]


@pytest.mark.parametrize("names_orders", [True, False])
async def test_where_the_key_may_be_forgotten_the_books_or_a_person_tell_of_a_payout_and_no_deposit_is_taken(
    database: str, stripe: Stripe, stand_in: Playing, *, names_orders: bool
) -> None:
    deal, payee = await earned(stripe, stand_in, "100.00", "50.00")
    payout, deposit = await deal.request_payout(), await deal.fund(CARD, position=2)
    await reconciliation.pull(stripe, reconciliation.BEGINNING)
    if not names_orders:
        await execute("UPDATE provider_movements SET order_id = NULL")
    await cut()
    await execute("UPDATE log_cuts SET kept_at = kept_at - interval '2 days' WHERE kept_at IS NOT NULL")
    await work(stripe, stand_in, until="FAILED", order_id=deposit)
    assert (await order(payout))["is_stuck"] is not names_orders
    if names_orders:
        await work(stripe, stand_in, until="PAID", order_id=payout)
    assert len(stand_in.books.of("transfer")) == int(names_orders)
    assert len(stand_in.books.of("payout", payee)) == int(names_orders)
    assert len(stand_in.books.of("payment_intent")) == 1


async def test_a_later_cut_has_the_books_asked_anew_whether_a_payout_was_called(
    database: str, stripe: Stripe, stand_in: Playing
) -> None:
    deal, payee = await earned(stripe, stand_in)
    payout = await deal.request_payout()
    await cut()
    await execute("UPDATE log_cuts SET kept_at = kept_at - interval '2 days', books_due_at = now()")
    assert await lost.read_books(stripe)
    await sent(stripe, deal, payout, payee)  # after those books were read, and before the next cut, which lost it
    stand_in.pass_time(3 * 86_400)
    await cut()
    await work(stripe, stand_in, until="PAID", order_id=payout)
    assert len(stand_in.books.of("transfer")) == 1
    assert len(stand_in.books.of("payout", payee)) == 1
