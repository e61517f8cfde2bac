"""Money out with Stripe: refunds, transfers before a charge is available, payouts that fail late, and what comes back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from escrow.money import Money
from escrow.payments.calls import RefundRequest, Step, TransferRequest, key_of
from escrow.payments.results import Failed, NotYet, Pending, ProviderError, Succeeded, Unknown
from escrow.payments.stripe.adapter import Stripe
from escrow.stripe_access import PayoutsBy
from tests.escrow.payments.stripe.asking import (
    VISA,
    charge_of,
    order_id,
    payout_after,
    prepared,
    refund_of,
    sought,
    take_back_of,
    transfer_to,
    usd,
)
from tests.stand_ins.stripe import payees
from tests.stand_ins.stripe.hostility import DAY_SECONDS
from tests.stand_ins.stripe.payments import SETTLE_SECONDS
from tests.stand_ins.stripe.payouts import FAILS_AFTER_SECONDS, PAYOUT_SECONDS
from tests.stand_ins.stripe.serving import Playing


async def charged(stripe: Stripe, amount: Money, token: str = VISA) -> str:
    request = charge_of(amount, token)
    charge_id = await prepared(stripe, request)
    assert isinstance(await stripe.confirm(charge_id, request), Succeeded)
    return charge_id


async def payee(stripe: Stripe, stand_in: Playing, *, bank: str = "good") -> str:
    name = await stripe.open_payee(f"acc_{order_id()}", key=order_id())
    payees.told(stand_in.books, name, bank=bank)
    return name


async def test_a_refund_goes_back_to_its_charge_and_is_found_by_it(stripe: Stripe, stand_in: Playing) -> None:
    charge_id = await charged(stripe, usd(5_000))
    had = stand_in.platform_has()
    request = refund_of(charge_id, usd(2_000))
    assert await stripe.look_up(sought(request, Step.REFUND, charge_id=charge_id)) == Unknown()
    made = await stripe.refund(request)
    assert isinstance(made, Succeeded)
    assert stand_in.platform_has() == had - 2_000
    assert await stripe.look_up(sought(request, Step.REFUND, charge_id=charge_id)) == made
    assert await stripe.look_up(sought(request, Step.REFUND, provider_id=made.provider_id)) == made


async def test_another_attempt_at_a_refund_is_told_from_the_first(stripe: Stripe, stand_in: Playing) -> None:
    charge_id = await charged(stripe, usd(5_000), "pm_card_refundFail")
    first = refund_of(charge_id, usd(5_000))
    await stripe.refund(first)
    stand_in.pass_time(SETTLE_SECONDS)
    assert isinstance(await stripe.look_up(sought(first, Step.REFUND, charge_id=charge_id)), Failed)
    second: RefundRequest = replace(first, key=key_of(first.order_id, 2, Step.REFUND))
    assert await stripe.look_up(sought(second, Step.REFUND, charge_id=charge_id)) == Unknown()
    made = await stripe.refund(second)
    assert isinstance(made, Succeeded)
    any_of_them = replace(sought(first, Step.REFUND, charge_id=charge_id), of_any_attempt=True)
    assert await stripe.look_up(any_of_them) == made
    assert await stripe.look_up(replace(any_of_them, order_id=order_id())) == Unknown()


async def test_a_refund_that_came_back_after_it_succeeded_leaves_the_balance_as_it_was(
    stripe: Stripe, stand_in: Playing
) -> None:
    charge_id = await charged(stripe, usd(5_000), "pm_card_refundFail")
    had = stand_in.platform_has()
    request = refund_of(charge_id, usd(5_000))
    assert isinstance(await stripe.refund(request), Succeeded)
    stand_in.pass_time(SETTLE_SECONDS)
    assert isinstance(await stripe.look_up(sought(request, Step.REFUND, charge_id=charge_id)), Failed)
    assert stand_in.platform_has() == had


async def test_a_refund_that_takes_its_time_is_pending(stripe: Stripe, stand_in: Playing) -> None:
    charge_id = await charged(stripe, usd(5_000), "pm_card_pendingRefund")
    request = refund_of(charge_id, usd(5_000))
    assert isinstance(await stripe.refund(request), Pending)
    stand_in.pass_time(SETTLE_SECONDS)
    assert isinstance(await stripe.look_up(sought(request, Step.REFUND, charge_id=charge_id)), Succeeded)


async def test_more_than_was_charged_is_not_refunded_nor_what_came_by_no_charge(
    stripe: Stripe, stand_in: Playing
) -> None:
    charge_id = await charged(stripe, usd(5_000))
    had = stand_in.platform_has()
    assert isinstance(await stripe.refund(refund_of(charge_id, usd(5_001))), Failed)
    nowhere = await stripe.refund(refund_of(None, usd(1)))
    assert isinstance(nowhere, Failed)
    assert not nowhere.again
    assert stand_in.platform_has() == had


async def test_money_that_is_not_available_yet_is_transferred_from_its_charge(
    stripe: Stripe, stand_in: Playing
) -> None:
    charge_id = await charged(stripe, usd(5_000))
    request = transfer_to(await payee(stripe, stand_in), usd(4_500), charge_id)
    made = await stripe.transfer(request)
    assert isinstance(made, Succeeded)
    assert made.available_at is not None
    assert made.available_at.timestamp() == stand_in.books.clock.now() + 2 * DAY_SECONDS
    assert stand_in.books.balance(request.payee_id, "usd") == (0, 4_500)
    assert await stripe.look_up(sought(request, Step.TRANSFER)) == made
    assert await stripe.look_up(sought(request, Step.TRANSFER, provider_id=made.provider_id)) == made


async def test_a_sum_of_several_charges_waits_for_the_balance(stripe: Stripe, stand_in: Playing) -> None:
    charges = [await charged(stripe, usd(5_000)) for _ in range(2)]
    request = transfer_to(await payee(stripe, stand_in), usd(9_000), *charges)
    assert isinstance(await stripe.transfer(request), NotYet)
    assert await stripe.look_up(sought(request, Step.TRANSFER)) == Unknown()
    stand_in.pass_time(2 * DAY_SECONDS)
    again: TransferRequest = replace(request, key=key_of(request.order_id, 2, Step.TRANSFER))
    assert isinstance(await stripe.transfer(again), Succeeded)
    assert stand_in.books.balance(request.payee_id, "usd") == (9_000, 0)


async def test_a_charge_that_is_used_up_leaves_it_to_an_older_one(stripe: Stripe, stand_in: Playing) -> None:
    older, newer = await charged(stripe, usd(5_000)), await charged(stripe, usd(5_000))
    name = await payee(stripe, stand_in)
    for _ in range(2):
        assert isinstance(await stripe.transfer(transfer_to(name, usd(4_000), newer, older)), Succeeded)
    assert stand_in.books.balance(name, "usd") == (0, 8_000)


async def test_whoever_repeats_a_transfer_meets_its_own_success_first(stripe: Stripe, stand_in: Playing) -> None:
    older, newer = await charged(stripe, usd(5_000)), await charged(stripe, usd(5_000))
    request = transfer_to(await payee(stripe, stand_in), usd(4_000), newer, older)
    answers = [await stripe.transfer(request) for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert stand_in.books.balance(request.payee_id, "usd") == (0, 4_000)


@pytest.mark.parametrize("covered_by", ["a charge", "the balance"])
async def test_a_charge_that_comes_between_a_transfer_and_its_repetition_makes_no_second_one(
    stripe: Stripe, stand_in: Playing, covered_by: str
) -> None:
    first = await charged(stripe, usd(5_000))
    stand_in.pass_time(2 * DAY_SECONDS)
    known = [first] if covered_by == "a charge" else []
    request = transfer_to(await payee(stripe, stand_in), usd(4_000), *known)
    assert isinstance(await stripe.transfer(request), Succeeded)
    newer = await charged(stripe, usd(5_000))
    with pytest.raises(ProviderError, match="key was used"):
        await stripe.transfer(replace(request, charge_ids=(newer, *known)))
    assert len(stand_in.books.of("transfer")) == 1


async def test_a_payee_that_told_nothing_is_sent_nothing(stripe: Stripe, stand_in: Playing) -> None:
    charge_id = await charged(stripe, usd(5_000))
    name = await stripe.open_payee("acc_new", key=order_id())
    assert isinstance(await stripe.transfer(transfer_to(name, usd(4_000), charge_id)), Failed)
    assert stand_in.books.of("transfer") == {}


async def test_a_payout_is_paid_and_may_fail_later_all_the_same(stripe: Stripe, stand_in: Playing) -> None:
    charge_id = await charged(stripe, usd(5_000), "pm_card_bypassPending")
    transfer = transfer_to(await payee(stripe, stand_in, bank="closed"), usd(4_000), charge_id)
    moved = await stripe.transfer(transfer)
    assert isinstance(moved, Succeeded)
    request = payout_after(transfer, moved.provider_id)
    assert isinstance(await stripe.payout(request), Pending)
    look = sought(request, Step.PAYOUT, payee_id=transfer.payee_id, transfer_id=moved.provider_id)
    stand_in.pass_time(PAYOUT_SECONDS)
    assert isinstance(await stripe.look_up(look), Succeeded)
    stand_in.pass_time(FAILS_AFTER_SECONDS)
    found = await stripe.look_up(look)
    assert isinstance(found, Failed)
    assert await stripe.look_up(replace(look, provider_id=found.provider_id)) == found
    assert stand_in.books.balance(transfer.payee_id, "usd") == (4_000, 0)


async def test_a_payout_of_what_is_not_available_yet_comes_later(stripe: Stripe, stand_in: Playing) -> None:
    charge_id = await charged(stripe, usd(5_000))
    transfer = transfer_to(await payee(stripe, stand_in), usd(4_000), charge_id)
    moved = await stripe.transfer(transfer)
    assert isinstance(moved, Succeeded)
    later = await stripe.payout(payout_after(transfer, moved.provider_id))
    assert isinstance(later, NotYet)
    assert later.again_at == moved.available_at


async def test_a_transfer_comes_back_as_far_as_the_payee_has_it(stripe: Stripe, stand_in: Playing) -> None:
    charge_id = await charged(stripe, usd(5_000), "pm_card_bypassPending")
    had = stand_in.platform_has()
    transfer = transfer_to(await payee(stripe, stand_in), usd(4_000), charge_id)
    moved = await stripe.transfer(transfer)
    assert isinstance(moved, Succeeded)
    request = take_back_of(transfer, moved.provider_id)
    look = sought(request, Step.TAKE_BACK, transfer_id=moved.provider_id)
    assert await stripe.look_up(look) == Unknown()
    back = await stripe.take_back(request)
    assert isinstance(back, Succeeded)
    assert await stripe.look_up(look) == back
    assert stand_in.platform_has() == had


async def test_what_the_payee_has_paid_out_already_does_not_come_back_yet(stripe: Stripe, stand_in: Playing) -> None:
    charge_id = await charged(stripe, usd(5_000), "pm_card_bypassPending")
    transfer = transfer_to(await payee(stripe, stand_in), usd(4_000), charge_id)
    moved = await stripe.transfer(transfer)
    assert isinstance(moved, Succeeded)
    await stripe.payout(payout_after(transfer, moved.provider_id))
    assert isinstance(await stripe.take_back(take_back_of(transfer, moved.provider_id)), NotYet)


async def test_payouts_by_the_payees_own_schedule_are_left_to_stripe(stand_in: Playing) -> None:
    stripe = Stripe(stand_in.access(payouts_by=PayoutsBy.SCHEDULE))
    charge_id = await charged(stripe, usd(5_000))
    name = await payee(stripe, stand_in)
    transfer = transfer_to(name, usd(4_000), charge_id)
    moved = await stripe.transfer(transfer)
    assert isinstance(moved, Succeeded)
    request = payout_after(transfer, moved.provider_id)
    assert await stripe.payout(request) == Succeeded(usd(4_000))
    assert await stripe.look_up(sought(request, Step.PAYOUT, payee_id=name)) == Succeeded(usd(4_000))
    assert stand_in.books.of("payout", name) == {}
    assert stand_in.books.of("account")[name]["settings"]["payouts"]["schedule"]["interval"] == "daily"
    await stripe.close()


@pytest.mark.parametrize("step", [Step.TRANSFER, Step.PAYOUT, Step.TAKE_BACK, Step.REFUND])
async def test_what_no_call_made_is_unknown(stripe: Stripe, stand_in: Playing, step: Step) -> None:
    request = transfer_to(await payee(stripe, stand_in), usd(100))
    assert await stripe.look_up(sought(request, step, payee_id=request.payee_id)) == Unknown()
