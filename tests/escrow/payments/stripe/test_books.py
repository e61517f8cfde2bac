"""Stripe's own books: every cent of the platform's balance is a movement, and each movement knows its order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from escrow.payments import reconciliation
from escrow.payments.book_differences import DifferenceKind
from escrow.payments.calls import RefundRequest, Step
from escrow.payments.movements import MovementKind
from escrow.payments.results import Failed, Succeeded
from escrow.payments.stripe.adapter import Stripe
from tests.escrow.payments.stripe.asking import (
    charge_of,
    order_id,
    prepared,
    refund_of,
    sought,
    take_back_of,
    transfer_to,
    usd,
)
from tests.stand_ins.stripe import payees, payments, payouts, reversals
from tests.stand_ins.stripe.payments import SETTLE_SECONDS, fee_of
from tests.stand_ins.stripe.serving import Playing

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


async def test_movements_add_up_to_the_balance_and_name_their_orders(stripe: Stripe, stand_in: Playing) -> None:
    charge = charge_of(usd(9_000), "pm_card_refundFail")
    charge_id = await prepared(stripe, charge)
    await stripe.confirm(charge_id, charge)
    refund: RefundRequest = refund_of(charge_id, usd(1_000))
    made = await stripe.refund(refund)
    stand_in.pass_time(SETTLE_SECONDS)
    name = await stripe.open_payee("acc_1", key=order_id())
    payees.told(stand_in.books, name)
    transfer = transfer_to(name, usd(2_000), charge_id)
    moved = await stripe.transfer(transfer)
    assert isinstance(made, Succeeded)
    assert isinstance(moved, Succeeded)
    await stripe.take_back(take_back_of(transfer, moved.provider_id))
    reversals.open_dispute(stand_in.books, stand_in.books.of("payment_intent")[charge_id]["latest_charge"])
    reversals.close(stand_in.books, next(iter(stand_in.books.of("dispute").values())), "won")

    found = [one async for one in stripe.movements(LONG_AGO)]
    kinds = [(one.kind, one.net, one.order_id) for one in found]
    assert kinds == [
        (MovementKind.CHARGE, usd(9_000 - fee_of(9_000)), charge.order_id),
        (MovementKind.REFUND, usd(-1_000), refund.order_id),
        (MovementKind.REFUND_FAILED, usd(1_000), refund.order_id),
        (MovementKind.TRANSFER, usd(-2_000), transfer.order_id),
        (MovementKind.TRANSFER_RETURNED, usd(2_000), transfer.order_id),
        (MovementKind.REVERSAL, usd(-9_000 - reversals.FEE), charge.order_id),
        (MovementKind.REVERSAL_RETURNED, usd(9_000), charge.order_id),
    ]
    assert (found[0].source_id, found[1].source_id, found[3].source_id) == (
        charge_id,
        made.provider_id,
        moved.provider_id,
    )
    assert (found[0].fee, found[5].fee) == (usd(fee_of(9_000)), usd(reversals.FEE))
    assert await stripe.balance() == [usd(sum(one.net.minor for one in found))]


async def test_what_somebody_did_by_hand_at_stripe_is_of_the_contract_and_the_order_that_it_was_done_to(
    stripe: Stripe, stand_in: Playing
) -> None:
    charge = charge_of(usd(9_000))
    charge_id = await prepared(stripe, charge)
    await stripe.confirm(charge_id, charge)
    name = await stripe.open_payee("acc_1", key=order_id())
    payees.told(stand_in.books, name)
    transfer = transfer_to(name, usd(2_000), charge_id)
    moved = await stripe.transfer(transfer)
    assert isinstance(moved, Succeeded)
    payouts.reverse(stand_in.books, moved.provider_id, {})
    payments.refund(stand_in.books, {"payment_intent": charge_id, "amount": 500})
    *_, returned, refunded = [one async for one in stripe.movements(LONG_AGO)]
    assert (returned.net, returned.group, returned.order_id) == (usd(2_000), transfer.group, transfer.order_id)
    assert (refunded.net, refunded.group, refunded.order_id) == (usd(-500), charge.group, charge.order_id)
    for known in (moved.provider_id, None):
        found = await stripe.look_up(sought(transfer, Step.TRANSFER, provider_id=known))
        assert isinstance(found, Failed), "its money is with the platform again"


async def test_what_is_about_something_that_stripe_tells_nothing_of_is_a_movement_of_no_order(
    stripe: Stripe, stand_in: Playing
) -> None:
    charge = charge_of(usd(9_000))
    charge_id = await prepared(stripe, charge)
    await stripe.confirm(charge_id, charge)
    name = await stripe.open_payee("acc_1", key=order_id())
    payees.told(stand_in.books, name)
    moved = await stripe.transfer(transfer_to(name, usd(2_000), charge_id))
    assert isinstance(moved, Succeeded)
    payouts.reverse(stand_in.books, moved.provider_id, {})
    del stand_in.books.of("transfer")[moved.provider_id]
    *_, returned = [one async for one in stripe.movements(LONG_AGO)]
    assert (returned.net, returned.group, returned.order_id) == (usd(2_000), None, None)


async def test_movements_are_read_page_after_page_from_a_time_on_oldest_first(
    stripe: Stripe, stand_in: Playing
) -> None:
    books = stand_in.books
    for number in range(250):
        books.move("", "topup", number + 1, "usd", source="tu_1")
        books.clock.advance(1)
    since = datetime.fromtimestamp(books.clock.now() - 240, UTC)
    found = [one async for one in stripe.movements(since)]
    assert [one.amount.minor for one in found] == list(range(11, 251))
    assert {one.kind for one in found} == {MovementKind.WITHDRAWAL}


async def test_what_stripe_does_by_itself_with_the_platforms_balance_is_the_operators_own_and_belongs_to_no_order(
    database: str, stripe: Stripe, stand_in: Playing
) -> None:
    books = stand_in.books
    for kind in (
        "reserved_funds",
        "reserve_hold",
        "reserve_release",
        "payment_network_reserve_hold",
        "payment_network_reserve_release",
        "payout_minimum_balance_hold",
        "payout_minimum_balance_release",
        "connect_collection_transfer",
        "stripe_balance_payment_debit",
        "stripe_balance_payment_debit_reversal",
        "adjustment",
    ):
        books.move("", kind, -7_00, "usd", source="")
    for made in books.of("balance_transaction").values():
        made["source"] = None
    found = await reconciliation.reconcile(stripe, settling=-timedelta(days=10_000))
    assert found.found == []
    # What it takes back of something that it names may be a contract's.
    books.move("", "adjustment", -7_00, "usd", source="re_of_somebody")
    (one,) = (await reconciliation.reconcile(stripe, settling=-timedelta(days=10_000))).found
    assert (one.kind, one.provider_minor) == (DifferenceKind.MOVEMENT, -7_00)


async def test_a_balance_without_any_money_is_nothing(stripe: Stripe) -> None:
    assert await stripe.balance() == [usd(0)]
