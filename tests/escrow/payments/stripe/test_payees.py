"""Payees at Stripe: opened, sent to its pages, able to be paid or not, with what is missing and until when."""

from __future__ import annotations

import httpx

from escrow.payments.stripe.adapter import Stripe
from tests.escrow.payments.stripe.asking import order_id
from tests.stand_ins.stripe import payees
from tests.stand_ins.stripe.serving import RETURN_URL, Playing


async def test_a_new_payee_can_be_paid_nothing_and_knows_what_is_missing(stripe: Stripe, stand_in: Playing) -> None:
    name = await stripe.open_payee("acc_freelancer", key=order_id())
    state = await stripe.payee(name)
    assert not state.can_be_paid
    assert state.missing == payees.MISSING
    assert stand_in.books.of("account")[name]["metadata"] == {"account": "acc_freelancer"}


async def test_opening_again_with_its_key_makes_no_second_account(stripe: Stripe, stand_in: Playing) -> None:
    key = order_id()
    assert await stripe.open_payee("acc_1", key=key) == await stripe.open_payee("acc_1", key=key)
    assert len(stand_in.books.of("account")) == 1


async def test_who_has_told_everything_at_the_link_can_be_paid(stripe: Stripe, stand_in: Playing) -> None:
    name = await stripe.open_payee("acc_1", key=order_id())
    link = await stripe.onboarding_link(name, return_url=None)
    assert link.until is not None
    assert link.until.timestamp() > stand_in.books.clock.now()
    assert link.url not in repr(link)
    async with httpx.AsyncClient(timeout=60) as browser:
        await browser.post(link.url, data={"answer": "good"})
    state = await stripe.payee(name)
    assert state.can_be_paid
    assert state.missing == ()


async def test_a_link_is_made_anew_each_time(stripe: Stripe, stand_in: Playing) -> None:
    name = await stripe.open_payee("acc_1", key=order_id())
    await stripe.onboarding_link(name, return_url=RETURN_URL)
    stand_in.books.clock.advance(600)
    later = await stripe.onboarding_link(name, return_url=RETURN_URL)
    assert later.until is not None
    assert later.until.timestamp() > stand_in.books.clock.now()


async def test_what_will_be_missing_has_a_deadline_and_holds_up_nothing_before_it(
    stripe: Stripe, stand_in: Playing
) -> None:
    name = await stripe.open_payee("acc_1", key=order_id())
    payees.told(stand_in.books, name)
    payees.asked_for_more(stand_in.books, name, "individual.id_number", deadline_seconds=1_000)
    state = await stripe.payee(name)
    assert state.can_be_paid
    assert state.missing == ("individual.id_number",)
    assert state.until is not None
    payees.asked_for_more(stand_in.books, name, "individual.id_number")
    assert not (await stripe.payee(name)).can_be_paid
