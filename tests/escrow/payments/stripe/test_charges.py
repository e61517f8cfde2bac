"""Deposits with Stripe: prepared, confirmed, declined, finished by the payer, disputed."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
import pytest

from escrow.payments.calls import Sought, Step
from escrow.payments.results import (
    Failed,
    NeedsAction,
    Pending,
    Prepared,
    ProviderError,
    ReversalStage,
    Reversed,
    Succeeded,
    Unknown,
)
from escrow.payments.stripe.adapter import Stripe
from escrow.states import ActionKind
from tests.escrow.payments.stripe.asking import GROUP, charge_of, prepared, sought, usd
from tests.stand_ins.stripe import reversals
from tests.stand_ins.stripe.hostility import Fault, Hostility
from tests.stand_ins.stripe.payments import SETTLE_SECONDS, fee_of
from tests.stand_ins.stripe.serving import RETURN_URL, Playing


async def test_what_is_prepared_moves_nothing_and_what_is_confirmed_comes_once(
    stripe: Stripe, stand_in: Playing
) -> None:
    request = charge_of(usd(10_000))
    charge_id = await prepared(stripe, request)
    assert await stripe.look_up(sought(request, Step.CONFIRM, provider_id=charge_id)) == Prepared(charge_id)
    assert stand_in.platform_has() == 0
    answers = [await stripe.confirm(charge_id, request) for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert isinstance(answers[0], Succeeded)
    assert (answers[0].amount, answers[0].provider_id) == (usd(10_000), charge_id)
    assert stand_in.platform_has() == 10_000 - fee_of(10_000)


async def test_a_success_tells_its_fee_when_it_is_available_and_how_long_it_may_be_held(
    stripe: Stripe, stand_in: Playing
) -> None:
    request = charge_of(usd(10_000))
    found = await stripe.confirm(await prepared(stripe, request), request)
    assert isinstance(found, Succeeded)
    assert found.fee == usd(fee_of(10_000))
    assert found.available_at is not None
    assert found.hold_until is not None
    assert found.available_at.timestamp() == stand_in.books.clock.now() + 2 * 86_400
    assert found.hold_until.timestamp() == stand_in.books.clock.now() + 90 * 86_400


async def test_a_charge_bears_its_order_and_lies_in_the_group_of_its_contract(
    stripe: Stripe, stand_in: Playing
) -> None:
    request = charge_of(usd(700))
    intent = stand_in.books.of("payment_intent")[await prepared(stripe, request)]
    assert intent["transfer_group"] == GROUP
    assert intent["metadata"]["order"] == request.order_id


async def test_preparing_again_with_its_key_makes_no_second_charge(stripe: Stripe, stand_in: Playing) -> None:
    request = charge_of(usd(700))
    assert await prepared(stripe, request) == await prepared(stripe, request)
    assert len(stand_in.books.of("payment_intent")) == 1


async def test_a_key_that_was_forgotten_confirms_nothing_twice(stripe: Stripe, stand_in: Playing) -> None:
    request = charge_of(usd(900))
    charge_id = await prepared(stripe, request)
    await stripe.confirm(charge_id, request)
    stand_in.pass_time(25 * 3600)
    assert isinstance(await stripe.confirm(charge_id, request), Succeeded)
    assert len([one for one in stand_in.books.of("charge").values() if one["paid"]]) == 1


async def test_a_decline_is_definite_because_nobody_can_pay_it_later(stripe: Stripe, stand_in: Playing) -> None:
    request = charge_of(usd(900), "pm_card_chargeDeclined")
    charge_id = await prepared(stripe, request)
    assert await stripe.confirm(charge_id, request) == Failed("Your card was declined.", charge_id)
    assert stand_in.books.of("payment_intent")[charge_id]["status"] == "canceled"
    assert isinstance(await stripe.look_up(sought(request, Step.CONFIRM, provider_id=charge_id)), Failed)


async def test_a_means_of_payment_that_does_not_exist_fails_the_deposit(stripe: Stripe, stand_in: Playing) -> None:
    request = charge_of(usd(900), "pm_nobody_has_it")
    charge_id = await prepared(stripe, request)
    assert isinstance(await stripe.confirm(charge_id, request), Failed)
    assert stand_in.books.of("payment_intent")[charge_id]["status"] == "canceled"


async def test_three_d_secure_is_finished_at_the_page_of_the_bank_alone(stripe: Stripe, stand_in: Playing) -> None:
    request = charge_of(usd(4_200), "pm_card_authenticationRequired")
    charge_id = await prepared(stripe, request)
    asked = await stripe.confirm(charge_id, request)
    assert isinstance(asked, NeedsAction)
    assert asked.action.kind is ActionKind.REDIRECT
    assert asked.action.url is not None
    assert stand_in.platform_has() == 0
    async with httpx.AsyncClient(timeout=60) as browser:
        assert "Complete authentication" in (await browser.get(asked.action.url)).text
        back = await browser.post(asked.action.url, data={"answer": "complete"})
    assert back.headers["location"].startswith(RETURN_URL)
    assert isinstance(await stripe.look_up(sought(request, Step.CONFIRM, provider_id=charge_id)), Succeeded)
    assert stand_in.platform_has() == 4_200 - fee_of(4_200)


async def not_believed(stripe: Stripe) -> tuple[str, Sought]:
    """A payer fails at the bank's page; what the provider calls the charge, and how it is looked up."""
    request = charge_of(usd(4_200), "pm_card_authenticationRequired")
    charge_id = await prepared(stripe, request)
    asked = await stripe.confirm(charge_id, request)
    assert isinstance(asked, NeedsAction)
    async with httpx.AsyncClient(timeout=60) as browser:
        await browser.post(str(asked.action.url), data={"answer": "fail"})
    return charge_id, sought(request, Step.CONFIRM, provider_id=charge_id)


async def test_a_payer_whom_the_bank_does_not_believe_fails_the_deposit_for_good(
    stripe: Stripe, stand_in: Playing
) -> None:
    charge_id, looked_up = await not_believed(stripe)
    assert isinstance(await stripe.look_up(looked_up), Failed)
    assert stand_in.books.of("payment_intent")[charge_id]["status"] == "canceled"


@dataclass(frozen=True, slots=True, kw_only=True)
class GivesNothingUp(Hostility):
    """Whatever is to be given up meets a fault that is stored."""

    def fault(self, name: str, count: int, *, writes: bool) -> Fault | None:
        return Fault.STORED_ERROR if "/give-up" in name else None


async def test_a_fault_that_is_stored_when_a_payment_is_given_up_holds_nothing_up(
    stripe: Stripe, stand_in: Playing
) -> None:
    charge_id, looked_up = await not_believed(stripe)
    stand_in.books.hostility = GivesNothingUp()
    with pytest.raises(ProviderError):
        await stripe.look_up(looked_up)
    stand_in.books.hostility = Hostility()
    assert isinstance(await stripe.look_up(looked_up), Failed)
    assert stand_in.books.of("payment_intent")[charge_id]["status"] == "canceled"


async def test_a_stranger_without_the_secret_sees_no_page_of_the_bank(stripe: Stripe, stand_in: Playing) -> None:
    request = charge_of(usd(4_200), "pm_card_authenticationRequired")
    charge_id = await prepared(stripe, request)
    await stripe.confirm(charge_id, request)
    async with httpx.AsyncClient(timeout=60) as browser:
        await browser.post(f"{stand_in.url}/3d-secure/{charge_id}?secret=guessed", data={"answer": "complete"})
    assert stand_in.platform_has() == 0


async def test_without_a_means_of_payment_the_payer_gives_it_to_stripe(stripe: Stripe, stand_in: Playing) -> None:
    request = charge_of(usd(4_200), None)
    charge_id = await prepared(stripe, request)
    asked = await stripe.confirm(charge_id, request)
    assert isinstance(asked, NeedsAction)
    assert asked.action.kind is ActionKind.CONFIRM
    assert asked.action.client_secret == stand_in.books.of("payment_intent")[charge_id]["client_secret"]
    assert str(asked.action.client_secret) not in repr(asked)


async def test_a_charge_that_nobody_waits_for_can_be_paid_by_nobody(stripe: Stripe, stand_in: Playing) -> None:
    request = charge_of(usd(4_200), "pm_card_authenticationRequired")
    charge_id = await prepared(stripe, request)
    asked = await stripe.confirm(charge_id, request)
    assert isinstance(await stripe.cancel(charge_id, key=f"{request.order_id}/1/cancel"), Failed)
    assert isinstance(asked, NeedsAction)
    async with httpx.AsyncClient(timeout=60) as browser:
        await browser.post(str(asked.action.url), data={"answer": "complete"})
    assert stand_in.platform_has() == 0


async def test_a_charge_that_came_is_not_given_up(stripe: Stripe, stand_in: Playing) -> None:
    request = charge_of(usd(4_200))
    charge_id = await prepared(stripe, request)
    await stripe.confirm(charge_id, request)
    assert isinstance(await stripe.cancel(charge_id, key=f"{request.order_id}/1/cancel"), Succeeded)


async def test_a_bank_debit_takes_its_time_and_then_comes_or_fails(stripe: Stripe, stand_in: Playing) -> None:
    good, bad = charge_of(usd(500), "pm_usBankAccount_success"), charge_of(usd(600), "pm_usBankAccount_accountClosed")
    good_id, bad_id = await prepared(stripe, good), await prepared(stripe, bad)
    assert await stripe.confirm(good_id, good) == Pending(good_id)
    assert await stripe.confirm(bad_id, bad) == Pending(bad_id)
    stand_in.pass_time(SETTLE_SECONDS)
    assert isinstance(await stripe.look_up(sought(good, Step.CONFIRM, provider_id=good_id)), Succeeded)
    assert isinstance(await stripe.look_up(sought(bad, Step.CONFIRM, provider_id=bad_id)), Failed)
    assert stand_in.platform_has() == 500 - fee_of(500)


async def test_what_was_never_stored_is_prepared_anew_and_what_stripe_does_not_know_is_unknown(stripe: Stripe) -> None:
    request = charge_of(usd(500))
    assert await stripe.look_up(sought(request, Step.PREPARE)) == Unknown()
    assert await stripe.look_up(sought(request, Step.CONFIRM, provider_id="pi_nobody")) == Unknown()


async def test_a_dispute_is_open_then_won_or_lost_with_its_fee_and_the_time_for_evidence(
    stripe: Stripe, stand_in: Playing
) -> None:
    for ending, stage, back in (("won", ReversalStage.WON, 8_000), ("lost", ReversalStage.LOST, 0)):
        request = charge_of(usd(8_000), "pm_card_createDispute")
        charge_id = await prepared(stripe, request)
        await stripe.confirm(charge_id, request)
        had = stand_in.platform_has()
        stand_in.pass_time(10)
        look = sought(request, Step.CONFIRM, provider_id=charge_id)
        found = await stripe.look_up(look)
        assert isinstance(found, Reversed)
        assert (found.reversal.stage, found.reversal.amount) == (ReversalStage.OPEN, usd(8_000))
        assert found.reversal.fee == usd(reversals.FEE)
        assert found.reversal.evidence_until is not None
        assert found.charge.amount == usd(8_000)
        assert stand_in.platform_has() == had - 8_000 - reversals.FEE
        reversals.close(stand_in.books, stand_in.books.get("dispute", found.reversal.provider_id), ending)
        after = await stripe.look_up(look)
        assert isinstance(after, Reversed)
        assert after.reversal.stage is stage
        assert stand_in.platform_has() == had - 8_000 - reversals.FEE + back


async def test_a_dispute_may_take_a_part(stripe: Stripe, stand_in: Playing) -> None:
    request = charge_of(usd(8_000))
    charge_id = await prepared(stripe, request)
    await stripe.confirm(charge_id, request)
    charge = stand_in.books.of("payment_intent")[charge_id]["latest_charge"]
    reversals.open_dispute(stand_in.books, charge, "3000")
    found = await stripe.look_up(sought(request, Step.CONFIRM, provider_id=charge_id))
    assert isinstance(found, Reversed)
    assert found.reversal.amount == usd(3_000)
