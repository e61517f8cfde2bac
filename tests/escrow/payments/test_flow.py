"""Orders brought forward step by step with the sandbox: faults, attempts, payouts that come back, and what a person decides."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from escrow.agreement import commands as c
from escrow.audit import audit
from escrow.database import fetch, fetch_value
from escrow.payments import leases, orders
from escrow.payments.calls import PayoutRequest, RefundRequest, Sought, Step, TakeBackRequest
from escrow.payments.leases import Claimed
from escrow.payments.results import Answer, Failed, Found, Hint, Pending, ProviderError, Unknown
from escrow.payments.sandbox import Sandbox
from escrow.pipeline import run
from escrow.states import OrderOutcome
from tests.escrow.payments.stage import (
    Deal,
    age_calls,
    change_minds,
    charge,
    make_due,
    order,
    settle,
    strike,
    work,
)

pytestmark = pytest.mark.usefixtures("database")


def becomes(order_id: str, state: str) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        row = await order(order_id)
        return bool(row["state"] == state and row["due_at"] is None)

    return check


async def keys(kind: str) -> list[str]:
    """The keys of the calls of a kind that the sandbox knows, in their order, without the order."""
    rows = await fetch("SELECT key FROM sandbox_charges WHERE kind = $1 ORDER BY created_at", kind)
    return [row["key"].partition("/")[2] for row in rows]


async def payout_of(amount: str, sandbox: Sandbox) -> tuple[Deal, str]:
    """A payout that is asked for, of a milestone that was paid and approved."""
    deal = await strike("100.00", "50.00")
    await work(sandbox, until=becomes(await deal.fund(), "PAID"))
    await deal.approve()
    return deal, await deal.request_payout(amount)


async def refund_of(amount: str, sandbox: Sandbox) -> tuple[Deal, str]:
    """A refund that is asked for, of all that a milestone holds."""
    deal = await strike(amount)
    await work(sandbox, until=becomes(await deal.fund(), "PAID"))
    await run(c.GiveRefund(milestone_id=deal.contract.milestone()), by=deal.contract.freelancer)
    found = await fetch_value("SELECT id FROM payment_orders WHERE contract_id = $1 AND kind = 'REFUND'", deal.id)
    assert isinstance(found, str)
    return deal, found


async def sound() -> bool:
    return [difference async for difference in audit()] == []


@pytest.mark.parametrize("token", ["tok_fault", "tok_action", "tok_action_confirm", "tok_action_bank"])
async def test_a_deposit_gets_there_by_another_attempt_or_by_its_payer(sandbox: Sandbox, token: str) -> None:
    deal = await strike("100.00")
    order_id = await deal.fund(token)
    await work(sandbox, until=becomes(order_id, "PAID"))
    assert await deal.balance("escrow") == 100_00
    assert await deal.events("deposit.action_required") == ["deposit.action_required"] * ("action" in token)
    assert await keys("DEPOSIT") == ["1/prepare", "2/prepare"][: 1 + (token == "tok_fault")]
    assert await sound()


@pytest.mark.parametrize(
    ("token", "event"), [("tok_action_abandoned", "deposit.failed"), ("tok_action_expires", "deposit.failed")]
)
async def test_a_payer_who_declines_or_does_nothing_has_the_deposit_fail(
    sandbox: Sandbox, token: str, event: str
) -> None:
    deal = await strike("100.00")
    order_id = await deal.fund(token)
    await work(sandbox, until=becomes(order_id, "FAILED"))
    assert await deal.events("deposit.action_required", event) == ["deposit.action_required", event]
    assert await deal.milestone_state() == "PLANNED"
    assert await sandbox.balance() == []
    assert await sound()


async def test_a_deposit_that_the_law_gave_up_while_its_payer_was_waited_for_cannot_be_paid_any_more() -> None:
    sandbox = Sandbox(slow_seconds=3_600.0)  # so long the payer could still act
    deal = await strike("100.00")
    order_id = await deal.fund("tok_action_expires")
    for claimed in await orders.claim(10):
        assert await orders.attend(claimed, sandbox)
    await deal.cancel()
    assert (await order(order_id))["due_at"] is not None, "somebody looks at it soon"
    await work(sandbox, until=becomes(order_id, "ABANDONED"))
    made = await charge(order_id)
    assert made is not None
    assert made["is_cancelled"]
    assert await sandbox.balance() == []


@pytest.mark.parametrize(("amount", "attempts"), [("40.07", 1), ("40.10", 2), ("40.11", 1), ("41.00", 1)])
async def test_a_payout_is_transferred_once_whatever_becomes_of_its_first_call(
    sandbox: Sandbox, amount: str, attempts: int
) -> None:
    deal, order_id = await payout_of(amount, sandbox)
    await work(sandbox, until=becomes(order_id, "PAID"))
    assert await keys("TRANSFER") == ["1/transfer", "2/transfer"][:attempts]
    assert await keys("PAYOUT") == ["1/payout"]
    assert await deal.events("payout.paid", "payout.failed", "order.stuck") == ["payout.paid"]
    (money,) = await sandbox.balance()
    assert money.minor == await deal.balance("clearing") * -1
    assert await sound()


@pytest.mark.parametrize(("amount", "attempts"), [("40.07", 1), ("40.10", 2), ("40.11", 1)])
async def test_a_refund_is_made_once_whatever_becomes_of_its_first_call(
    sandbox: Sandbox, amount: str, attempts: int
) -> None:
    deal, order_id = await refund_of(amount, sandbox)
    await work(sandbox, until=becomes(order_id, "PAID"))
    assert await keys("REFUND") == ["1/refund", "2/refund"][:attempts]
    assert await deal.balance("clearing") == 0
    assert [money.minor for money in await sandbox.balance()] == [0]
    assert await sound()


async def test_a_payout_that_bounces_after_it_was_paid_is_payable_again_once_its_transfer_came_back(
    sandbox: Sandbox,
) -> None:
    deal, order_id = await payout_of("40.09", sandbox)
    await work(sandbox, until=becomes(order_id, "PAID"))
    assert await deal.balance("payable") == 59_91
    await change_minds()
    await work(sandbox, until=becomes(order_id, "FAILED"))
    assert await deal.events("payout.paid", "payout.failed") == ["payout.paid", "payout.failed"]
    assert await deal.balance("payable") == 100_00
    assert await keys("TAKE_BACK") == ["1/take_back"]
    (money,) = await sandbox.balance()
    assert money.minor == -await deal.balance("clearing") == 100_00
    assert await sound()


async def lost_for_a_day(order_id: str, sandbox: Sandbox) -> None:
    """The first call is lost, and nobody looks again before the key may be forgotten."""
    for claimed in await orders.claim(10):
        assert await orders.attend(claimed, sandbox)
    await age_calls(order_id, "23 hours 30 minutes")
    await make_due(order_id)
    for claimed in await orders.claim(10):
        assert await orders.attend(claimed, sandbox)


async def test_what_was_lost_for_a_day_waits_for_a_person_and_is_called_no_more(sandbox: Sandbox) -> None:
    deal, order_id = await refund_of("40.11", sandbox)
    await lost_for_a_day(order_id, sandbox)
    row = await order(order_id)
    assert (row["state"], row["is_stuck"], row["due_at"]) == ("STARTED", True, None)
    assert "may have forgotten the key" in row["last_error"]
    assert await deal.events("order.stuck") == ["order.stuck"]
    for _ in range(3):
        await orders.nudge([Hint(order_id)])
        for claimed in await orders.claim(10):
            assert not claimed.wanted
            assert await orders.attend(claimed, sandbox)
    assert await deal.events("order.stuck", "refund.paid") == ["order.stuck"]
    assert await fetch_value("SELECT sum(calls) FROM sandbox_charges WHERE kind = 'REFUND'") == 1
    assert await sound()


async def test_a_person_who_says_that_it_never_happened_has_it_made_under_another_key(sandbox: Sandbox) -> None:
    deal, order_id = await refund_of("40.11", sandbox)
    await lost_for_a_day(order_id, sandbox)
    await run(c.ResolveOrder(order_id=order_id, outcome=OrderOutcome.NEVER_HAPPENED), by=deal.deployment.operator)
    assert (await order(order_id))["due_at"] is not None, "it is looked at soon"
    await work(sandbox, until=becomes(order_id, "PAID"))
    told = ("order.stuck", "order.resolved", "refund.failed", "refund.paid")
    assert await deal.events(*told) == list(told)
    assert [money.minor for money in await sandbox.balance()] == [0]
    assert await sound()


@pytest.mark.parametrize("made", [refund_of, payout_of])
async def test_a_person_who_answers_before_the_order_is_handed_back_is_heard_at_once(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, made: Callable[[str, Sandbox], Awaitable[tuple[Deal, str]]]
) -> None:
    deal, order_id = await made("40.11", sandbox)
    hand_back = leases.hand_back

    async def answered_first(claimed: Claimed, *arguments: Any, **named: Any) -> bool:
        if await is_left_to_a_person(order_id):
            never = c.ResolveOrder(order_id=order_id, outcome=OrderOutcome.NEVER_HAPPENED)
            await run(never, by=deal.deployment.operator)
        return await hand_back(claimed, *arguments, **named)

    monkeypatch.setattr(leases, "hand_back", answered_first)
    await lost_for_a_day(order_id, sandbox)
    row = await order(order_id)
    assert (row["is_stuck"], row["lease_token"]) == (False, None)
    assert row["due_at"] is not None, "it is looked at again"
    monkeypatch.undo()
    if made is refund_of:
        await work(sandbox, until=becomes(order_id, "PAID"))
    assert (await order(order_id))["state"] == ("PAID" if made is refund_of else "FAILED")
    assert await sound()


async def test_a_person_who_says_that_it_was_paid_has_nothing_called(sandbox: Sandbox) -> None:
    deal, order_id = await refund_of("40.11", sandbox)
    await lost_for_a_day(order_id, sandbox)
    await run(c.ResolveOrder(order_id=order_id, outcome=OrderOutcome.PAID), by=deal.deployment.operator)
    assert await orders.claim(10) == []
    assert await deal.events("order.resolved", "refund.paid") == ["order.resolved", "refund.paid"]
    assert await sound()


async def test_what_turns_up_at_the_provider_after_all_needs_no_person(sandbox: Sandbox) -> None:
    deal, order_id = await refund_of("40.11", sandbox)
    await lost_for_a_day(order_id, sandbox)
    await fetch("UPDATE sandbox_charges SET received = true WHERE kind = 'REFUND'")
    provider_id = await fetch_value("SELECT id FROM sandbox_charges WHERE kind = 'REFUND'")
    await fetch("UPDATE provider_calls SET provider_id = $2 WHERE order_id = $1", order_id, provider_id)
    await orders.nudge([Hint(provider_id=provider_id)])
    await work(sandbox, until=becomes(order_id, "PAID"))
    assert not (await order(order_id))["is_stuck"]
    assert await deal.events("order.stuck", "order.resolved", "refund.paid") == ["order.stuck", "refund.paid"]
    assert await sound()


@pytest.mark.parametrize(("made", "kind"), [(refund_of, "REFUND"), (payout_of, "TRANSFER")])
async def test_a_stored_fault_is_no_failure_so_it_gets_no_other_key_and_waits_for_a_person_after_a_day(
    sandbox: Sandbox, made: Callable[[str, Sandbox], Awaitable[tuple[Deal, str]]], kind: str
) -> None:
    deal, order_id = await made("40.08", sandbox)
    for hours in (0, 1, 20):
        await age_calls(order_id, f"{hours} hours")
        await make_due(order_id)
        for claimed in await orders.claim(10):
            assert await orders.attend(claimed, sandbox)
        row = await order(order_id)
        assert (row["state"], row["is_stuck"], row["last_error"][:11]) == ("STARTED", False, "StoredFault")
    assert await keys(kind) == [f"1/{kind.lower()}"]
    await age_calls(order_id, "3 hours")
    await make_due(order_id)
    for claimed in await orders.claim(10):
        assert await orders.attend(claimed, sandbox)
    assert (await order(order_id))["is_stuck"]
    assert await keys(kind) == [f"1/{kind.lower()}"]
    await run(c.ResolveOrder(order_id=order_id, outcome=OrderOutcome.NEVER_HAPPENED), by=deal.deployment.operator)
    assert await deal.events("order.stuck", "order.resolved") == ["order.stuck", "order.resolved"]
    assert await sound()


async def is_left_to_a_person(order_id: str) -> bool:
    return bool((await order(order_id))["is_stuck"])


class Refusing(Sandbox):
    """It refunds nothing, and says so in words for the client; `again` as in `Failed`."""

    again = True

    async def refund(self, request: RefundRequest) -> Answer:
        return Failed("the card is gone", again=self.again)


@pytest.mark.parametrize(("again", "attempts"), [(True, orders.REFUNDS_MAX), (False, 1)])
async def test_a_refund_that_always_fails_is_left_to_a_person_in_the_end_who_is_told_once(
    sandbox: Sandbox, again: bool, attempts: int
) -> None:
    deal, order_id = await refund_of("40.00", sandbox)
    provider = Refusing(settle_seconds=0.0)
    provider.again = again

    async def until_left() -> bool:
        await age_calls(order_id, "1 hour")
        return await is_left_to_a_person(order_id)

    async def attempts_made() -> int:
        return int(await fetch_value("SELECT count(*) FROM provider_calls WHERE order_id = $1", order_id))

    await work(provider, until=until_left)
    assert await attempts_made() == attempts
    for _ in range(3):
        await orders.nudge([Hint(order_id)])
        for claimed in await orders.claim(10):
            assert await orders.attend(claimed, provider)
    assert (await attempts_made(), (await order(order_id))["due_at"]) == (attempts, None)
    assert await deal.events("refund.failed", "order.stuck", "order.resolved") == ["refund.failed", "order.stuck"]
    await run(c.ResolveOrder(order_id=order_id, outcome=OrderOutcome.NEVER_HAPPENED), by=deal.deployment.operator)
    await work(sandbox, until=becomes(order_id, "PAID"))
    assert await attempts_made() == attempts + 1
    assert await sound()


async def test_a_refund_that_fails_at_a_call_that_was_not_begun_with_the_claim_is_tried_again(sandbox: Sandbox) -> None:
    _, order_id = await refund_of("40.00", sandbox)
    (claimed,) = await orders.claim(10)
    await fetch("DELETE FROM provider_calls WHERE order_id = $1", order_id)
    assert await orders.attend(replace(claimed, calls=[]), Refusing(settle_seconds=0.0))
    row = await order(order_id)
    assert (row["state"], row["lease_token"]) == ("FAILED", None)
    assert row["due_at"] is not None


class Silent(Sandbox):
    """It says nothing, by an error or by having no result."""

    says_pending = True

    async def look_up(self, sought: Sought) -> Found:
        if self.says_pending:
            return Pending()
        raise ProviderError("it is away")


@pytest.mark.parametrize("says_pending", [True, False])
async def test_what_has_no_result_for_weeks_is_left_to_a_person_and_still_looked_up(
    sandbox: Sandbox, says_pending: bool
) -> None:
    deal, order_id = await refund_of("40.02", sandbox)
    provider = Silent()
    provider.says_pending = says_pending
    for claimed in await orders.claim(10):
        assert await orders.attend(claimed, sandbox)
    for days, stuck in ((13, False), (2, True), (30, True)):
        await age_calls(order_id, f"{days} days")
        await make_due(order_id)
        for claimed in await orders.claim(10):
            assert await orders.attend(claimed, provider)
        assert await is_left_to_a_person(order_id) == stuck
    assert await deal.events("order.stuck") == ["order.stuck"]
    await settle()
    await orders.nudge([Hint(order_id)])
    await work(sandbox, until=becomes(order_id, "PAID"))
    assert not await is_left_to_a_person(order_id)
    assert await sound()


async def test_a_payout_that_a_person_said_never_happened_is_not_looked_up_for_ever(sandbox: Sandbox) -> None:
    deal, order_id = await payout_of("40.11", sandbox)
    await lost_for_a_day(order_id, sandbox)
    await run(c.ResolveOrder(order_id=order_id, outcome=OrderOutcome.NEVER_HAPPENED), by=deal.deployment.operator)
    for days, is_over in ((0, False), (10, False), (5, True)):
        await age_calls(order_id, f"{days} days")
        await make_due(order_id)
        for claimed in await orders.claim(10):
            assert await orders.attend(claimed, sandbox)
        row = await order(order_id)
        assert (row["state"], row["due_at"] is None) == ("FAILED", is_over)


class Forgetful(Sandbox):
    """It knows nothing of what it made: it is another provider than the one that made it."""

    async def look_up(self, sought: Sought) -> Found:
        return Unknown()


async def test_what_the_provider_made_and_knows_no_longer_is_not_made_again(sandbox: Sandbox) -> None:
    _, order_id = await refund_of("40.02", sandbox)
    for claimed in await orders.claim(10):
        assert await orders.attend(claimed, sandbox)
    assert await fetch_value("SELECT provider_id FROM provider_calls WHERE order_id = $1", order_id)
    await make_due(order_id)
    for claimed in await orders.claim(10):
        assert await orders.attend(claimed, Forgetful())
    assert await is_left_to_a_person(order_id)
    assert await fetch_value("SELECT sum(calls) FROM sandbox_charges WHERE kind = 'REFUND'") == 1


async def test_what_a_person_resolved_under_a_workers_lease_has_nothing_new_called(sandbox: Sandbox) -> None:
    deal, order_id = await payout_of("40.11", sandbox)
    await lost_for_a_day(order_id, sandbox)
    await fetch("UPDATE sandbox_charges SET received = true WHERE kind = 'TRANSFER'")
    provider_id = await fetch_value("SELECT id FROM sandbox_charges WHERE kind = 'TRANSFER'")
    await fetch("UPDATE provider_calls SET provider_id = $2 WHERE order_id = $1", order_id, provider_id)
    await make_due(order_id)
    (claimed,) = await orders.claim(10)
    await run(c.ResolveOrder(order_id=order_id, outcome=OrderOutcome.NEVER_HAPPENED), by=deal.deployment.operator)
    assert not await orders.attend(claimed, sandbox)
    assert await keys("PAYOUT") == [], "its sum is payable again: it would be paid out twice"
    await fetch("UPDATE payment_orders SET lease_token = NULL")
    await make_due(order_id)
    await work(sandbox, until=becomes(order_id, "FAILED"))
    assert (await keys("PAYOUT"), await keys("TAKE_BACK")) == ([], ["1/take_back"])
    assert await sound()


class Losing(Sandbox):
    """No payout ever reaches it."""

    async def payout(self, request: PayoutRequest) -> Answer:
        raise ProviderError("lost on its way")


class Resolving(Sandbox):
    """While it is asked, a person says what became of the order."""

    def __init__(self, word: Callable[[], Awaitable[object]]) -> None:
        super().__init__()
        self._word = word

    async def look_up(self, sought: Sought) -> Found:
        found = await super().look_up(sought)
        await self._word()
        return found


@pytest.mark.parametrize("is_leased", [False, True])
async def test_the_transfer_of_a_payout_that_never_happened_by_a_persons_word_comes_back(
    sandbox: Sandbox, is_leased: bool
) -> None:
    deal, order_id = await payout_of("40.00", sandbox)
    await lost_for_a_day(order_id, Losing())
    assert (await order(order_id))["is_stuck"]
    assert [money.minor for money in await sandbox.balance()] == [60_00]

    async def say() -> None:
        await run(c.ResolveOrder(order_id=order_id, outcome=OrderOutcome.NEVER_HAPPENED), by=deal.deployment.operator)

    if is_leased:
        await make_due(order_id)
        (claimed,) = await orders.claim(10)
        assert await orders.attend(claimed, Resolving(say))
    else:
        await say()
    await work(sandbox, until=becomes(order_id, "FAILED"))
    assert (await keys("PAYOUT"), await keys("TAKE_BACK")) == ([], ["1/take_back"])
    assert [money.minor for money in await sandbox.balance()] == [100_00], "all of it is payable again"
    assert await sound()


class ByHand(Sandbox):
    """Somebody has taken back by hand what it transferred."""

    async def look_up(self, sought: Sought) -> Found:
        return Failed("taken back") if sought.step is Step.TRANSFER else await super().look_up(sought)

    async def take_back(self, request: TakeBackRequest) -> Answer:
        raise AssertionError("there is nothing to take back")


async def test_what_a_person_took_back_by_hand_is_not_taken_back_again(sandbox: Sandbox) -> None:
    deal, order_id = await payout_of("40.01", sandbox)
    for claimed in await orders.claim(10):
        assert await orders.attend(claimed, sandbox)
    await settle()
    await work(ByHand(), until=becomes(order_id, "FAILED"))
    assert await keys("TAKE_BACK") == []
    assert await deal.events("payout.failed", "order.stuck") == ["payout.failed"]
    assert await deal.balance("payable") == 100_00


class Spent(Sandbox):
    """No transfer ever comes back from its payee."""

    async def take_back(self, request: TakeBackRequest) -> Answer:
        return Failed("the payee has spent it")


async def test_what_a_person_said_of_a_transfer_that_never_comes_back_holds(sandbox: Sandbox) -> None:
    provider = Spent(settle_seconds=0.0)
    deal, order_id = await payout_of("40.01", sandbox)

    await work(provider, until=lambda: is_left_to_a_person(order_id))
    await run(c.ResolveOrder(order_id=order_id, outcome=OrderOutcome.NEVER_HAPPENED), by=deal.deployment.operator)
    await work(provider, until=becomes(order_id, "FAILED"))
    assert not await is_left_to_a_person(order_id)
    assert await deal.events("order.stuck", "order.resolved") == ["order.stuck", "order.resolved"]
    assert await sound()
