"""Payees from the first link to the bank: who may be paid is looked up, told by events, and payouts wait for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from escrow import terms
from escrow.access import PROVIDER
from escrow.accounts import commands
from escrow.agreement import commands as c
from escrow.audit import audit
from escrow.database import execute, fetch, fetch_row, fetch_value
from escrow.errors import Forbidden, InvalidState
from escrow.payments import orders, payees
from escrow.payments.results import Hint
from escrow.payments.sandbox import Sandbox
from escrow.payments.stripe.adapter import Stripe
from escrow.pipeline import run
from tests.escrow.payments.stage import Deal, order, strike
from tests.escrow.payments.stripe.test_through_orders import is_in, until
from tests.stand_ins.stripe import payees as told_stripe
from tests.stand_ins.stripe.hostility import Hostility
from tests.stand_ins.stripe.serving import Playing


@pytest.fixture(autouse=True)
def stripe_is_the_provider(stripe: Stripe) -> Iterator[None]:
    """Decisions and links of this process are by what Stripe allows and gives."""
    terms.use(stripe.terms)
    payees.use(stripe)
    yield
    terms.use(terms.Terms())
    payees.use(Sandbox())


async def connect(deal: Deal) -> str | None:
    """As the mutation does it; gives the address."""
    account_id = str(deal.freelancer_id)
    await run(commands.ConnectPayee(account_id=account_id, provider="stripe"), by=deal.contract.freelancer)
    link = await payees.link(account_id, return_url=None)
    return link.url if link is not None else None


async def name_of(deal: Deal) -> str:
    return str(await fetch_value("SELECT payee_id FROM payees WHERE account_id = $1", deal.freelancer_id))


async def onboard(deal: Deal, stripe: Stripe, stand_in: Playing) -> str:
    """The freelancer told Stripe everything, Stripe says that there is news, and it is looked up."""
    await connect(deal)
    name = await name_of(deal)
    told_stripe.told(stand_in.books, name)
    await payees.nudge([Hint(payee_id=name)])
    assert await payees.look(stripe, limit=10) == 1
    return name


async def told_of(deal: Deal) -> list[bool]:
    """What the events say, in order: whether the freelancer can be paid."""
    rows = await fetch(
        "SELECT body::jsonb -> 'data' -> 'canBePaid' = 'true'::jsonb AS can FROM events "
        "WHERE stream_id = $1 AND type = 'payee.changed' ORDER BY sequence",
        deal.freelancer_id,
    )
    return [row["can"] for row in rows]


async def claim_and_attend(stripe: Stripe) -> None:
    for claimed in await orders.claim(10, payees_of="stripe"):
        assert await orders.attend(claimed, stripe)


async def test_a_link_leads_to_the_page_of_a_payee_that_was_made_once(
    database: str, stripe: Stripe, stand_in: Playing
) -> None:
    deal = await strike("100.00")
    first, second = await connect(deal), await connect(deal)
    name = await name_of(deal)
    assert first == second == f"{stand_in.books.address}/onboarding/{name}"
    assert list(stand_in.books.of("account")) == [name]
    row = await fetch_row("SELECT * FROM payees")
    assert row is not None
    assert (row["can_be_paid"], tuple(row["missing"])) == (False, told_stripe.MISSING)
    bodies = [one["body"] for one in await fetch("SELECT body FROM events WHERE type = 'payee.changed'")]
    assert len(bodies) == 2
    assert not any("/onboarding/" in body for body in bodies)


async def test_a_payee_is_made_later_if_the_provider_was_away_when_the_link_was_asked_for(
    database: str, stripe: Stripe, stand_in: Playing
) -> None:
    deal = await strike("100.00")
    stand_in.books.hostility = Hostility(seed=1, lost_requests=1.0)
    assert await connect(deal) is None
    assert await payees.look(stripe, limit=10) == 1
    assert await name_of(deal) == "None"
    stand_in.books.hostility = Hostility()
    await execute("UPDATE payees SET due_at = now()")
    assert await payees.look(stripe, limit=10) == 1
    assert list(stand_in.books.of("account")) == [await name_of(deal)]


async def test_after_a_change_of_provider_a_payee_is_made_as_soon_as_it_can_be(
    database: str, stripe: Stripe, stand_in: Playing
) -> None:
    deal = await strike("100.00")
    await run(
        commands.ConnectPayee(account_id=str(deal.freelancer_id), provider="sandbox"), by=deal.contract.freelancer
    )
    assert await payees.look(Sandbox(), limit=1) == 1
    stand_in.books.hostility = Hostility(seed=1, lost_requests=1.0)
    assert await connect(deal) is None
    stand_in.books.hostility = Hostility()
    assert await payees.look(stripe, limit=10) == 1, "what the other provider was asked lately puts nothing off"
    assert list(stand_in.books.of("account")) == [await name_of(deal)]


async def test_a_notice_wakes_a_look_up_and_what_is_as_before_is_no_event(
    database: str, stripe: Stripe, stand_in: Playing
) -> None:
    deal = await strike("100.00")
    name = await onboard(deal, stripe, stand_in)
    assert await told_of(deal) == [False, False, True]
    assert await payees.look(stripe, limit=10) == 0
    await payees.nudge([Hint(payee_id=name)])
    assert await payees.look(stripe, limit=10) == 1
    assert await told_of(deal) == [False, False, True]
    told_stripe.asked_for_more(stand_in.books, name, "individual.id_number")
    await payees.nudge([Hint(payee_id=name)])
    await payees.look(stripe, limit=10)
    assert await told_of(deal) == [False, False, True, False]
    assert [difference async for difference in audit()] == []


async def test_asking_for_a_payout_is_refused_with_what_is_missing_until_the_payee_can_be_paid(
    database: str, stripe: Stripe, stand_in: Playing
) -> None:
    deal = await strike("100.00")
    await until(stripe, is_in(await deal.fund("pm_card_bypassPending"), "PAID"))
    await deal.approve()
    with pytest.raises(InvalidState, match="connectPayee"):
        await deal.request_payout()
    await connect(deal)
    with pytest.raises(InvalidState) as refused:
        await deal.request_payout()
    assert refused.value.details == {"missing": list(told_stripe.MISSING)}
    assert await deal.events("payout.started") == []
    await onboard(deal, stripe, stand_in)
    await deal.request_payout()
    assert await deal.events("payout.started") == ["payout.started"]


async def test_a_payout_by_itself_waits_for_the_payee_and_goes_out_once(
    database: str, stripe: Stripe, stand_in: Playing
) -> None:
    deal = await strike("100.00")
    await until(stripe, is_in(await deal.fund("pm_card_bypassPending"), "PAID"))
    await run(c.SetPayouts(contract_id=deal.id, automatic=True), by=deal.contract.freelancer)
    await deal.approve()
    payout = str(await fetch_value("SELECT id FROM payment_orders WHERE kind = 'PAYOUT'"))
    asked = stand_in.stand_in.requests
    await claim_and_attend(stripe)
    waiting = await order(payout)
    assert waiting["state"] == "STARTED"
    assert "can't pay the payee yet" in waiting["last_error"]
    assert await fetch_value("SELECT count(*) FROM provider_calls WHERE order_id = $1", payout) == 0
    assert stand_in.stand_in.requests == asked
    name = await onboard(deal, stripe, stand_in)
    for _ in range(5):
        await claim_and_attend(stripe)
        stand_in.pass_time(120)
        await execute("UPDATE payment_orders SET due_at = now() WHERE due_at IS NOT NULL AND lease_token IS NULL")
    assert (await order(payout))["state"] == "PAID"
    assert [one["amount"] for one in stand_in.books.of("payout", name).values()] == [10_000]
    assert await deal.events("payout.paid") == ["payout.paid"]


async def test_only_the_provider_says_who_can_be_paid(database: str) -> None:
    deal = await strike("100.00")
    account_id = str(deal.freelancer_id)
    said = commands.NotePayee(account_id=account_id, provider="stripe", payee_id="acct_1", can_be_paid=True)
    with pytest.raises(Forbidden):
        await run(said, by=deal.contract.freelancer)
    await run(said, by=PROVIDER)
    assert await fetch_value("SELECT count(*) FROM payees") == 0, "nobody had asked for it"


async def test_what_another_provider_knew_makes_nobody_payable(
    database: str, stripe: Stripe, stand_in: Playing
) -> None:
    deal = await strike("100.00")
    account_id = str(deal.freelancer_id)
    await run(commands.ConnectPayee(account_id=account_id, provider="sandbox"), by=deal.contract.freelancer)
    await payees.look(Sandbox(), limit=1)
    assert await told_of(deal) == [False, True]
    await until(stripe, is_in(await deal.fund("pm_card_bypassPending"), "PAID"))
    await deal.approve()
    with pytest.raises(InvalidState):
        await deal.request_payout()
    await onboard(deal, stripe, stand_in)
    await deal.request_payout()
