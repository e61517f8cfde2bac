"""Orders on a real database with the sandbox: whatever the provider does, money moves once and the books know it."""

import asyncio
import time
from datetime import timedelta

import pytest

from escrow import ids, process_log
from escrow.agreement import commands as c
from escrow.database import counting, fetch, fetch_value
from escrow.ids import Kind
from escrow.money import Money
from escrow.payments import flow, leases, orders
from escrow.payments.calls import ChargeRequest, Sought
from escrow.payments.results import Answer, Found, Hint, Pending, ProviderError, Succeeded
from escrow.payments.sandbox import Sandbox
from escrow.pipeline import run
from escrow.settings import LogFormat
from tests.escrow.payments.stage import (
    CHANGE,
    Deal,
    age_calls,
    change_minds,
    charge,
    claim_one,
    finished,
    make_due,
    order,
    returned,
    settle,
    strike,
    take,
    work,
)
from tests.factories import usd

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
async def deal() -> Deal:
    return await strike("100.00", "40.05")


# -- deposits, and every way in which they come out ---------------------------------------------------------------


@pytest.mark.parametrize("token", [None, "tok_ok", "tok_silent", "tok_timeout", "tok_outage", "tok_slow"])
async def test_a_deposit_that_succeeds_funds_its_milestone_once(
    deal: Deal, sandbox: Sandbox, token: str | None
) -> None:
    order_id = await deal.fund(token)
    await work(sandbox, until=finished(order_id))
    assert (await order(order_id))["state"] == "PAID"
    assert await deal.events("deposit.confirmed", "milestone.funded") == ["deposit.confirmed", "milestone.funded"]
    assert await deal.balance("escrow") == 100_00
    assert await fetch_value("SELECT count(*) FROM sandbox_charges") == 1


@pytest.mark.parametrize("token", ["tok_fail", "tok_refuse", "tok_unheard_of"])
async def test_a_deposit_that_fails_leaves_the_milestone_to_be_funded_again(
    deal: Deal, sandbox: Sandbox, token: str
) -> None:
    order_id = await deal.fund(token)
    await work(sandbox, until=finished(order_id))
    assert (await order(order_id))["state"] == "FAILED"
    assert await deal.milestone_state() == "PLANNED"
    again = await deal.fund("tok_ok")
    await work(sandbox, until=finished(again))
    assert await deal.milestone_state() == "ACTIVE"
    assert await deal.balance("escrow") == 100_00


async def test_an_answer_that_comes_twice_is_booked_once(deal: Deal, sandbox: Sandbox) -> None:
    order_id = await deal.fund("tok_twice")

    async def told() -> bool:
        settled = await charge(order_id)
        return settled is not None and len(settled["notices"]) < 2 and await finished(order_id)()

    await work(sandbox, until=told)
    attempts = (await order(order_id))["attempts"]
    await fetch("UPDATE sandbox_charges SET notices = ARRAY[now()]")  # the second one comes, too
    await orders.nudge(await sandbox.notices())
    await work(sandbox, until=finished(order_id))
    assert (await order(order_id))["attempts"] == attempts + 1, "it had it looked up and reported again"
    assert await deal.events("deposit.confirmed", "deposit.returned") == ["deposit.confirmed"]
    assert await deal.balance("escrow") == 100_00


@pytest.mark.parametrize("token", ["tok_wrong_amount", "tok_wrong_currency"])
async def test_another_sum_than_was_asked_for_fails_the_deposit_and_goes_back(
    deal: Deal, sandbox: Sandbox, token: str
) -> None:
    order_id = await deal.fund(token)
    await work(sandbox, until=finished(order_id))
    assert await deal.milestone_state() == "PLANNED"
    return_id = await returned(deal)
    await work(sandbox, until=finished(return_id))
    assert await deal.events("deposit.failed", "deposit.returned", "refund.paid") == [
        "deposit.failed",
        "deposit.returned",
        "refund.paid",
    ]
    assert [await deal.balance(account) for account in ("escrow", "payable", "transit", "clearing")] == [0, 0, 0, 0]
    sent_back = await charge(return_id)
    assert sent_back is not None
    taken = await charge(order_id)
    assert taken is not None
    assert sent_back["token"] == taken["id"], "the provider is told which charge it returns"


async def test_a_deposit_that_is_never_answered_is_looked_up_ever_less_often_and_charged_once(
    deal: Deal, sandbox: Sandbox
) -> None:
    order_id = await deal.fund("tok_never")
    waits = []
    for _ in range(20):
        await make_due(order_id)
        assert await orders.attend(await claim_one(), sandbox)
        row = await fetch("SELECT extract(epoch FROM due_at - now())::float8 AS s FROM payment_orders")
        waits.append(row[0]["s"])
    assert waits[0] < 1
    assert waits[5] > 4 * waits[0]
    assert 4 * 3600 < waits[-1] < 8 * 3600
    assert (await order(order_id))["state"] == "STARTED"
    made = await charge(order_id)
    assert made is not None
    assert made["calls"] == 1


async def test_a_confirmation_that_comes_after_the_funding_was_cancelled_is_sent_back(
    deal: Deal, sandbox: Sandbox
) -> None:
    order_id = await deal.fund("tok_slow")
    assert await orders.attend(await claim_one(), sandbox)
    await deal.cancel()
    assert await deal.milestone_state() == "PLANNED"
    await work(sandbox, until=finished(order_id))
    return_id = await returned(deal)
    await work(sandbox, until=finished(return_id))
    assert await deal.events("deposit.confirmed", "deposit.returned", "refund.paid") == [
        "deposit.returned",
        "refund.paid",
    ]
    assert await deal.balance("clearing") == 0


async def test_a_deposit_that_was_cancelled_before_the_provider_was_called_is_never_called(
    deal: Deal, sandbox: Sandbox
) -> None:
    order_id = await deal.fund()
    await deal.cancel()
    assert await orders.claim(10) == []
    row = await order(order_id)
    assert (row["due_at"], row["lease_token"]) == (None, None)
    assert await fetch("SELECT FROM provider_calls") == []
    assert await charge(order_id) is None


async def test_a_cancelled_deposit_whose_call_was_lost_is_given_up_at_the_provider_and_never_taken(
    deal: Deal, sandbox: Sandbox
) -> None:
    order_id = await deal.fund("tok_outage")
    assert await orders.attend(await claim_one(), sandbox)
    await deal.cancel()
    await make_due(order_id)
    assert await orders.attend(await claim_one(), sandbox)
    lost = await charge(order_id)
    assert lost is not None
    assert (lost["calls"], lost["is_cancelled"], lost["confirmed_at"]) == (1, True, None)
    assert (await order(order_id))["due_at"] is None, "a call that is still on its way takes nothing any more"


# -- refunds and payouts ------------------------------------------------------------------------------------------


async def test_a_failed_refund_is_reported_and_tried_again_later_with_another_key(deal: Deal, sandbox: Sandbox) -> None:
    await deal.fund()
    await work(sandbox, until=finished(*await open_orders(deal)))
    await deal.approve()
    late = await deal.fund("tok_slow", position=2)  # 40.05, whose return fails the first time
    assert await orders.attend(await claim_one(), sandbox)
    await deal.cancel(position=2)
    await work(sandbox, until=finished(late))
    return_id = await returned(deal)

    async def failed() -> bool:
        return bool((await order(return_id))["state"] == "FAILED")

    await work(sandbox, until=failed)
    assert await deal.balance("payable") == 100_00 + 40_05
    for _ in range(3):
        await make_due(return_id)
        assert await orders.attend(await claim_one(), sandbox)
    tried = await charge(return_id)
    assert tried is not None
    assert tried["calls"] == 1, "not at once"
    await age_calls(return_id, "1 hour")
    await work(sandbox, until=finished(return_id))
    assert (await order(return_id))["state"] == "PAID"
    assert await deal.events("refund.failed", "refund.paid") == ["refund.failed", "refund.paid"]
    assert await deal.balance("payable") == 100_00
    keys = await fetch("SELECT key FROM sandbox_charges WHERE kind = 'REFUND' ORDER BY created_at")
    assert [row["key"] for row in keys] == [f"{return_id}/1/refund", f"{return_id}/2/refund"]


async def test_a_payout_is_paid_to_the_freelancer(deal: Deal, sandbox: Sandbox) -> None:
    await deal.fund()
    await work(sandbox, until=finished(*await open_orders(deal)))
    await deal.approve()
    order_id = await deal.request_payout()
    await work(sandbox, until=finished(order_id))
    assert await deal.events("payout.paid") == ["payout.paid"]
    assert [await deal.balance(account) for account in ("payable", "transit", "clearing")] == [0, 0, 0]
    paid = await charge(order_id)
    assert paid is not None
    assert (paid["kind"], paid["amount_minor"], paid["token"]) == ("PAYOUT", 100_00, deal.freelancer_id)


async def test_a_failed_payout_is_final_unless_the_provider_changes_its_mind(deal: Deal, sandbox: Sandbox) -> None:
    await deal.fund()
    await work(sandbox, until=finished(*await open_orders(deal)))
    await deal.approve()
    final, changed = await deal.request_payout("40.01"), await deal.request_payout("40.06")
    await work(sandbox, until=finished(final, changed))
    assert [(await order(one))["state"] for one in (final, changed)] == ["FAILED", "FAILED"]
    await change_minds()
    await orders.nudge(await sandbox.notices())
    await work(sandbox, until=finished(final, changed))
    assert [(await order(one))["state"] for one in (final, changed)] == ["FAILED", "PAID"]
    assert await deal.events("payout.failed", "payout.paid") == ["payout.failed", "payout.failed", "payout.paid"]
    called = await charge(final)
    assert called is not None
    assert called["calls"] == 1
    assert await deal.balance("payable") == 100_00 - 40_06


# -- leases, and workers that come and go -------------------------------------------------------------------------


async def test_two_workers_never_hold_one_order(deal: Deal) -> None:
    others = [await deal.another("10.00") for _ in range(5)]
    expected = {await each.fund() for each in [deal, *others]}
    claims = await asyncio.gather(*(orders.claim(4) for _ in range(8)))
    held = [claimed.id for several in claims for claimed in several]
    assert len(held) == len(set(held))
    held += [claimed.id for claimed in await orders.claim(10)]
    assert set(held) == expected


async def test_a_claim_takes_the_oldest_first_and_no_more_than_it_was_asked_for(deal: Deal) -> None:
    first = await deal.fund()
    await (await deal.another("10.00")).fund()
    assert [claimed.id for claimed in await orders.claim(1)] == [first]


async def test_a_stale_worker_cannot_complete_what_another_one_claimed(deal: Deal, sandbox: Sandbox) -> None:
    order_id = await deal.fund()
    stale = await claim_one()
    await make_due(order_id)
    fresh = await claim_one()
    assert not await orders.attend(stale, sandbox)
    row = await order(order_id)
    assert row["lease_token"] == fresh.lease_token
    assert row["due_at"] is not None
    assert await orders.attend(fresh, sandbox)
    await work(sandbox, until=finished(order_id))
    assert await deal.events("deposit.confirmed") == ["deposit.confirmed"]
    assert await fetch_value("SELECT count(*) FROM sandbox_charges") == 1


async def test_a_worker_that_was_held_up_past_its_lease_calls_nobody(deal: Deal, sandbox: Sandbox) -> None:
    order_id = await deal.fund()
    claimed = await claim_one()
    object.__setattr__(claimed, "lease_ends", time.monotonic() + 1)
    assert not await orders.attend(claimed, sandbox)
    assert await charge(order_id) is None
    assert (await order(order_id))["lease_token"] == claimed.lease_token


async def test_a_lease_ends_by_itself(deal: Deal) -> None:
    await deal.fund()
    before = await fetch_value("SELECT now()")
    await claim_one()
    after = await fetch_value("SELECT now()")
    ends_at = await fetch_value("SELECT due_at FROM payment_orders")
    assert before <= ends_at - timedelta(seconds=leases.LEASE_SECONDS) <= after
    assert await orders.claim(10) == []


class Absent(Sandbox):
    """A provider that cannot be asked, in one way or another."""

    def __init__(self, error: Exception) -> None:
        super().__init__(settle_seconds=0.02)
        self.error: Exception | None = error

    async def confirm(self, provider_id: str, request: ChargeRequest) -> Answer:
        if self.error:
            raise self.error
        return await super().confirm(provider_id, request)

    async def look_up(self, sought: Sought) -> Found:
        if self.error:
            raise self.error
        return await super().look_up(sought)


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (ProviderError("no answer"), "ProviderError: no answer"),
        (TimeoutError(), "TimeoutError"),
        (ValueError("key sk_live_secret was refused"), "ValueError"),
    ],
)
async def test_whatever_a_provider_raises_the_order_is_looked_up_later_and_no_secret_is_kept(
    deal: Deal, error: Exception, kept: str, caplog: pytest.LogCaptureFixture
) -> None:
    provider = Absent(error)
    order_id = await deal.fund()
    assert await orders.attend(await claim_one(), provider)
    row = await order(order_id)
    assert (row["state"], row["lease_token"], row["last_error"]) == ("STARTED", None, kept)
    assert row["due_at"] is not None
    (logged,) = [one for one in caplog.records if one.name == orders.__name__]
    told = process_log.formatter(LogFormat.TEXT).format(logged)
    assert f"order={order_id}" in told
    assert "test_orders.py:" in told
    assert "sk_live_secret" not in told
    provider.error = None
    await work(provider, until=finished(order_id))
    assert await deal.milestone_state() == "ACTIVE"


class Hanging(Sandbox):
    """A provider that takes the call and never answers it."""

    async def confirm(self, provider_id: str, request: ChargeRequest) -> Answer:
        await super().confirm(provider_id, request)
        await asyncio.Event().wait()
        return Pending()


async def test_a_call_that_hangs_is_cut_off_and_looked_up(deal: Deal, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = Hanging(settle_seconds=0.02)
    order_id = await deal.fund()
    claimed = await claim_one()
    with monkeypatch.context() as patch:  # look-ups may take as long as they do
        patch.setattr(flow, "CALL_SECONDS_MAX", 0.2)
        assert await orders.attend(claimed, provider)
    assert (await order(order_id))["last_error"] == "TimeoutError"
    await work(provider, until=finished(order_id))
    assert await deal.events("deposit.confirmed") == ["deposit.confirmed"]


class Generous(Sandbox):
    """A provider that pays out more than it was asked to."""

    async def look_up(self, sought: Sought) -> Found:
        found = await super().look_up(sought)
        if isinstance(found, Succeeded):
            return Succeeded(Money(found.amount.minor + 1, found.amount.currency))
        return found


async def test_a_payout_of_another_sum_is_left_to_a_person(deal: Deal, sandbox: Sandbox) -> None:
    await deal.fund()
    await work(sandbox, until=finished(*await open_orders(deal)))
    await deal.approve()
    order_id = await deal.request_payout()
    provider = Generous()
    assert await orders.attend(await claim_one(), provider)
    await settle()
    await make_due(order_id)
    assert await orders.attend(await claim_one(), provider)
    row = await order(order_id)
    assert (row["state"], row["is_stuck"], row["due_at"]) == ("STARTED", True, None)
    assert "instead of" in row["last_error"]
    assert await deal.events("order.stuck", "payout.paid") == ["order.stuck"]


# -- what it costs ------------------------------------------------------------------------------------------------


async def test_an_order_costs_one_statement_to_claim_one_to_note_its_charge_one_to_hand_back_and_two_to_report(
    deal: Deal, sandbox: Sandbox
) -> None:
    order_id = await deal.fund()
    with counting() as statements:
        claimed = await claim_one()
    assert len(statements) == 1
    with counting() as statements:
        await orders.attend(claimed, sandbox)
    assert len(statements) == 4, (
        "two calls, which are statements with the sandbox, the charge noted between, handing back"
    )
    await settle()
    await make_due(order_id)
    claimed = await claim_one()
    with counting() as statements:
        await orders.attend(claimed, sandbox)
    assert len(statements) == 4, "the look-up, the report, and handing the order back"
    assert await finished(order_id)()


async def open_orders(deal: Deal) -> list[str]:
    rows = await fetch("SELECT id FROM payment_orders WHERE contract_id = $1 AND due_at IS NOT NULL", deal.id)
    return [row["id"] for row in rows]


# -- what comes back, goes out by itself, or was forgotten --------------------------------------------------------


async def test_a_deposit_that_the_provider_takes_back_freezes_its_milestone_once(deal: Deal, sandbox: Sandbox) -> None:
    order_id = await deal.fund("tok_reverse")
    await work(sandbox, until=finished(order_id))
    assert await deal.milestone_state() == "ACTIVE"
    await change_minds()
    for _ in range(2):
        await orders.nudge(await sandbox.notices())
        await make_due(order_id)
        await work(sandbox, until=finished(order_id))
    assert await deal.events("deposit.confirmed", "deposit.reversed") == ["deposit.confirmed", "deposit.reversed"]
    assert await fetch_value("SELECT frozen_at IS NOT NULL FROM milestones WHERE position = 1")
    assert await deal.balance("chargeback") == -100_00
    assert (await order(order_id))["state"] == "PAID"


async def test_a_reversal_that_nobody_heard_of_in_time_is_booked_with_what_came_before(
    deal: Deal, sandbox: Sandbox
) -> None:
    order_id = await deal.fund("tok_reverse")
    (claimed,) = await orders.claim(10)
    await take(claimed, sandbox, token="tok_reverse")
    await fetch("UPDATE sandbox_charges SET settles_at = now() - $1::interval", CHANGE)
    await fetch("UPDATE payment_orders SET lease_token = NULL")
    await work(sandbox, until=finished(order_id))
    assert await deal.events("deposit.confirmed", "milestone.funded", "deposit.reversed") == [
        "deposit.confirmed", "milestone.funded", "deposit.reversed",
    ]  # fmt: skip


async def test_a_deposit_that_nobody_waited_for_and_that_was_taken_back_is_nobodys_money(
    deal: Deal, sandbox: Sandbox
) -> None:
    order_id = await deal.fund("tok_reverse")
    (claimed,) = await orders.claim(10)
    await take(claimed, sandbox, token="tok_reverse")
    await deal.cancel()
    await fetch("UPDATE sandbox_charges SET settles_at = now() - $1::interval", CHANGE)
    await fetch("UPDATE payment_orders SET lease_token = NULL")
    await work(sandbox, until=finished(order_id))
    assert await deal.events("deposit.returned", "deposit.reversed") == []
    assert await deal.balance("clearing") == 0


async def test_a_deposit_that_was_sent_back_and_taken_back_is_booked_once_as_a_loss(
    deal: Deal, sandbox: Sandbox
) -> None:
    order_id = await deal.fund("tok_reverse")
    await send_back(deal, sandbox, order_id)
    await change_minds()
    for _ in range(2):
        await orders.nudge([Hint(order_id)])
        await work(sandbox, until=finished(order_id))
    assert await deal.events("deposit.returned", "deposit.reversed") == ["deposit.returned", "deposit.reversed"]
    assert await deal.balance("chargeback") == -100_00
    assert await deal.balance("clearing") == 100_00, "it came once and left twice"
    assert await fetch_value("SELECT count(*) FROM milestones WHERE frozen_at IS NOT NULL") == 0
    assert (await order(order_id))["last_error"] is None


async def test_of_a_deposit_that_was_sent_back_another_sum_is_left_to_a_person(deal: Deal, sandbox: Sandbox) -> None:
    order_id = await deal.fund("tok_reverse")
    await send_back(deal, sandbox, order_id)
    await change_minds()
    await fetch("UPDATE sandbox_charges SET amount_minor = 1 WHERE kind = 'DEPOSIT'")
    await orders.nudge([Hint(order_id)])
    (claimed,) = await orders.claim(10)
    assert await orders.attend(claimed, sandbox)
    assert "100.00 USD came first" in (await order(order_id))["last_error"]
    assert (await order(order_id))["due_at"] is not None
    assert await deal.events("deposit.returned", "deposit.reversed") == ["deposit.returned"]


async def test_a_notice_that_comes_while_the_order_is_held_has_it_looked_at_again_at_once(
    deal: Deal, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "LOOK_AGAIN_SECONDS", 3_600.0)  # by itself it comes again when nobody waits any more
    order_id = await deal.fund("tok_never")
    (claimed,) = await orders.claim(10)
    await orders.nudge([Hint(order_id)])
    assert await orders.claim(10) == [], "it stays with who holds it"
    assert await orders.attend(claimed, sandbox)
    (again,) = await orders.claim(10)
    assert await orders.attend(again, sandbox)
    assert await orders.claim(10) == [], "one notice is one look"


async def send_back(deal: Deal, sandbox: Sandbox, order_id: str) -> None:
    """The deposit is cancelled, comes all the same, and what came is paid back to the client."""
    (claimed,) = await orders.claim(10)
    await deal.cancel()
    assert await orders.attend(claimed, sandbox)
    await work(sandbox, until=finished(order_id))
    await work(sandbox, until=finished(await returned(deal)))


async def test_a_bonus_is_charged_paid_on_and_needs_no_escrow(deal: Deal, sandbox: Sandbox) -> None:
    await work(sandbox, until=finished(await deal.fund()))
    bonus = c.Approve(
        milestone_id=deal.contract.milestone(),
        bonus=usd("7.00"),
        bonus_deposit_id=ids.new(Kind.DEPOSIT),
        bonus_order_id=ids.new(Kind.ORDER),
        payment_token="tok_ok",
    )
    await run(bonus, by=deal.contract.client)
    assert await deal.balance("payable") == 100_00
    await work(sandbox, until=finished(bonus.bonus_order_id or ""))
    assert await deal.balance("payable") == 107_00
    assert await deal.events("bonus.started", "bonus.paid") == ["bonus.started", "bonus.paid"]
    assert await fetch_value("SELECT bonus_minor FROM milestones WHERE position = 1") == 700


async def test_a_bonus_that_is_declined_leaves_the_release_alone(deal: Deal, sandbox: Sandbox) -> None:
    await work(sandbox, until=finished(await deal.fund()))
    bonus = c.Approve(
        milestone_id=deal.contract.milestone(),
        bonus=usd("7.00"),
        bonus_deposit_id=ids.new(Kind.DEPOSIT),
        bonus_order_id=ids.new(Kind.ORDER),
        payment_token="tok_fail",
    )
    await run(bonus, by=deal.contract.client)
    await work(sandbox, until=finished(bonus.bonus_order_id or ""))
    assert await deal.events("milestone.released", "bonus.failed") == ["milestone.released", "bonus.failed"]
    assert await deal.balance("payable") == 100_00


async def test_a_refund_goes_back_to_the_charge_that_it_came_from(deal: Deal, sandbox: Sandbox) -> None:
    charged = await deal.fund()
    await work(sandbox, until=finished(charged))
    await run(c.GiveRefund(milestone_id=deal.contract.milestone()), by=deal.contract.freelancer)
    order_id = await returned(deal)
    claimed = await claim_one()
    taken = await charge(charged)
    assert taken is not None
    assert (claimed.id, claimed.charge_id) == (order_id, taken["id"])
    assert await orders.attend(claimed, sandbox)
    await work(sandbox, until=finished(order_id))
    assert await deal.events("milestone.refunded", "refund.paid") == ["milestone.refunded", "refund.paid"]
    assert (await deal.balance("payable"), await deal.balance("transit"), await deal.balance("clearing")) == (0, 0, 0)


async def test_automatic_payouts_go_out_without_being_asked_for(deal: Deal, sandbox: Sandbox) -> None:
    await run(c.SetPayouts(contract_id=deal.id, automatic=True), by=deal.contract.freelancer)
    await work(sandbox, until=finished(await deal.fund()))
    await deal.approve()
    (payout,) = await fetch("SELECT id FROM payment_orders WHERE kind = 'PAYOUT'")
    await work(sandbox, until=finished(payout["id"]))
    assert await deal.events("payout.started", "payout.paid") == ["payout.started", "payout.paid"]
    assert await deal.balance("payable") == 0
