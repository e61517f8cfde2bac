"""What belongs to another provider than the one that is asked: nothing is asked of this one, and a person hears of it.

The table says for every state of an order how it stands after it was attended to by a worker of another provider. What had no
call yet is begun where its money is; without any money it may be begun here.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest

from escrow.agreement import commands as c
from escrow.audit import audit
from escrow.database import fetch
from escrow.payments import orders, reconciliation
from escrow.payments.book_differences import DifferenceKind
from escrow.payments.leases import UNKNOWN, Claimed
from escrow.payments.results import Hint
from escrow.payments.sandbox import Sandbox
from escrow.pipeline import run
from escrow.states import OrderOutcome
from escrow.terms import Terms
from tests.escrow.payments.stage import Deal, age_calls, make_due, order, strike
from tests.escrow.payments.test_every_state import SETTING, Oracle, told_of
from tests.written import written

pytestmark = pytest.mark.usefixtures("database")

WAITS: Final = "STARTED"
STUCK: Final = "STARTED and stuck, order.stuck"

RIGHT: Final[dict[tuple[str, str], str]] = {
    ("DEPOSIT", "new"): "PAID, CONFIRM, deposit.confirmed",
    ("DEPOSIT", "made, and that is not heard"): WAITS,
    ("DEPOSIT", "made"): WAITS,
    ("DEPOSIT", "waiting for the payer"): WAITS,
    ("DEPOSIT", "on its way"): WAITS,
    ("DEPOSIT", "paid"): "PAID",
    ("DEPOSIT", "failed"): "FAILED",
    ("DEPOSIT", "given up"): "ABANDONED",
    ("REFUND", "new"): STUCK,
    ("REFUND", "asked for, and that is lost"): STUCK,
    ("REFUND", "on its way"): STUCK,
    ("REFUND", "paid"): "PAID",
    ("REFUND", "failed"): "FAILED and stuck, order.stuck",
    ("REFUND", "stuck"): "STARTED and stuck",
    ("REFUND", "said to be paid by a person"): "PAID",
    ("PAYOUT", "new"): STUCK,
    ("PAYOUT", "its transfer asked for, and that is lost"): STUCK,
    ("PAYOUT", "its transfer on its way"): STUCK,
    ("PAYOUT", "transferred, and the rest is lost"): STUCK,
    ("PAYOUT", "on its way"): STUCK,
    ("PAYOUT", "its take-back asked for, and that is lost"): STUCK,
    ("PAYOUT", "its take-back on its way"): STUCK,
    ("PAYOUT", "paid"): "PAID",
    ("PAYOUT", "failed"): "FAILED",
    ("PAYOUT", "stuck"): "STARTED and stuck",
    ("PAYOUT", "its transfer stuck"): "STARTED and stuck",
    ("PAYOUT", "said to be paid by a person, its transfer unheard of"): "PAID",
}

LISTED: Final = ("STARTED", "FAILED and stuck", "ABANDONED")
"""What is listed while it belongs elsewhere: whoever says what became of it looks there."""


async def attended(order_id: str, provider: Oracle, name: str) -> None:
    """By a worker that asks a provider of that name."""
    await make_due(order_id)
    for claimed in await orders.claim(10, provider=name):
        assert await orders.attend(claimed, provider)


async def standing(order_id: str) -> str:
    found = await order(order_id)
    assert found["lease_token"] is None
    return f"{found['state']}{' and stuck' if found['is_stuck'] else ''}"


async def charged_at(deal: Deal, name: str) -> None:
    """As if the money of a deposit that is confirmed had come by this provider."""
    await fetch(
        """INSERT INTO provider_calls (contract_id, order_id, step, attempt, provider_id, provider)
        SELECT contract_id, id, 'PREPARE', 1, 'ch_' || id, $2 FROM payment_orders
        WHERE contract_id = $1 AND kind = 'DEPOSIT' AND state = 'PAID' ON CONFLICT DO NOTHING""",
        deal.id,
        name,
    )


async def listed() -> list[str]:
    """The orders that a reconciliation with another provider lists."""
    outcome = await reconciliation.reconcile(Elsewhere(), settling=timedelta(0))
    return [one.subject for one in outcome.found if one.kind is DifferenceKind.ORDER]


class Elsewhere(Sandbox):
    """A provider of another name, with books in which there is nothing."""

    @property
    def terms(self) -> Terms:
        return replace(super().terms, provider="another")


def test_the_table_is_whole() -> None:
    assert RIGHT.keys() == SETTING.keys()


@pytest.mark.parametrize(("kind", "state"), RIGHT)
async def test_what_belongs_elsewhere_is_asked_of_nobody_else(kind: str, state: str) -> None:
    deal, provider = await strike("100.00", "50.00"), Oracle()
    order_id = await SETTING[kind, state](deal, provider)
    await charged_at(deal, "sandbox")
    told, provider.asked, provider.answers = await told_of(deal), [], []
    provider.says.clear()  # the other one knows nothing of it
    for _ in range(3):
        await orders.nudge([Hint(order_id=order_id)])
        await attended(order_id, provider, "another")
    news = (await told_of(deal))[len(told) :]
    assert ", ".join([await standing(order_id), *provider.asked, *news]) == RIGHT[kind, state]
    is_open = await standing(order_id) in LISTED or "stuck" in await standing(order_id)
    assert (order_id in await listed()) == is_open
    assert [difference async for difference in audit()] == []


@pytest.mark.parametrize("state", ["made", "waiting for the payer", "on its way", "given up"])
async def test_a_deposit_goes_on_once_its_own_provider_is_asked_again(state: str) -> None:
    deal, provider = await strike("100.00", "50.00"), Oracle()
    order_id = await SETTING["DEPOSIT", state](deal, provider)
    await attended(order_id, Oracle(), "another")
    waits = await order(order_id)
    assert (waits["due_at"] is None, waits["is_stuck"]) == (False, False)
    assert "sandbox" in waits["last_error"]
    assert "another" in waits["last_error"]
    provider.says[f"ch_{order_id}"] = "says it succeeded"
    for _ in range(2):
        await attended(order_id, provider, "sandbox")
    given_up = state == "given up"
    assert await deal.events("deposit.confirmed", "deposit.returned") == [
        "deposit.returned" if given_up else "deposit.confirmed"
    ]
    assert await listed() == []


async def test_a_deposit_that_was_given_up_is_not_forgotten_before_its_own_provider_was_asked() -> None:
    deal, provider = await strike("100.00", "50.00"), Oracle()
    order_id = await SETTING["DEPOSIT", "given up"](deal, provider)
    await age_calls(order_id, "60 days")
    await attended(order_id, Oracle(), "another")
    assert (await order(order_id))["due_at"] is not None
    assert await listed() == [order_id]
    await fetch("UPDATE payment_orders SET due_at = now() + interval '6 hours' WHERE id = $1", order_id)
    assert await orders.reconcile() == 1, "whoever changes the provider back has it looked up soon"
    provider.says[f"ch_{order_id}"] = "says it succeeded"
    await attended(order_id, provider, "sandbox")
    assert await deal.events("deposit.returned") == ["deposit.returned"]


async def test_once_its_own_provider_knows_nothing_of_it_a_deposit_that_was_given_up_is_forgotten() -> None:
    deal, provider = await strike("100.00", "50.00"), Oracle()
    order_id = await SETTING["DEPOSIT", "given up"](deal, provider)
    await age_calls(order_id, "60 days")
    await attended(order_id, Oracle(), "another")
    provider.says.clear()
    await attended(order_id, provider, "sandbox")
    assert (await order(order_id))["due_at"] is None
    assert await listed() == []


@pytest.mark.parametrize("kind", ["REFUND", "PAYOUT"])
async def test_what_has_no_call_yet_is_listed_where_its_money_is_elsewhere(kind: str) -> None:
    deal = await strike("100.00", "50.00")
    order_id = await SETTING[kind, "new"](deal, Oracle())
    await charged_at(deal, "sandbox")
    assert await listed() == [order_id]


async def test_what_a_person_says_of_a_payout_elsewhere_holds_and_another_one_waits_as_well() -> None:
    deal, provider = await strike("100.00", "50.00"), Oracle()
    first = await SETTING["PAYOUT", "its transfer asked for, and that is lost"](deal, provider)
    await charged_at(deal, "sandbox")
    with written() as log:
        await attended(first, Oracle(), "another")
    (entry,) = [entry for entry in log.entries if entry["level"] == "error"]
    assert (entry["order"], "sandbox" in entry["error"]) == (first, True)
    resolve = c.ResolveOrder(order_id=first, outcome=OrderOutcome.NEVER_HAPPENED)
    await run(resolve, by=deal.deployment.operator)
    assert await deal.balance("payable") == 100_00
    second, silent = await deal.request_payout(), Oracle()
    await attended(second, silent, "another")
    assert await standing(second) == "STARTED and stuck", "the money that it moves isn't there"
    assert silent.asked == []
    await run(c.ResolveOrder(order_id=second, outcome=OrderOutcome.PAID), by=deal.deployment.operator)
    assert await deal.balance("payable") == 0
    assert [difference async for difference in audit()] == []


async def test_of_a_call_whose_provider_nobody_knows_a_person_finds_out() -> None:
    deal, provider = await strike("100.00", "50.00"), Oracle()
    order_id = await SETTING["REFUND", "asked for, and that is lost"](deal, provider)
    await fetch("UPDATE provider_calls SET provider = NULL")
    (claimed,) = await claimed_for("sandbox", order_id)
    assert claimed.elsewhere == UNKNOWN
    assert await orders.attend(claimed, provider)
    assert await standing(order_id) == "STARTED and stuck"
    assert provider.asked == []


async def test_a_deposit_that_was_given_up_and_of_which_nobody_knows_the_provider_is_listed_for_two_weeks() -> None:
    deal, provider = await strike("100.00", "50.00"), Oracle()
    order_id = await SETTING["DEPOSIT", "given up"](deal, provider)
    await fetch("UPDATE provider_calls SET provider = NULL")
    provider.asked.clear()
    for age, still in (("0 days", True), ("13 days", True), ("2 days", False), ("30 days", False)):
        await age_calls(order_id, age)
        for claimed in await claimed_for("sandbox", order_id) if still else ():
            assert await orders.attend(claimed, provider)
        for claimed in await claimed_for("sandbox", order_id):
            assert await orders.attend(claimed, provider)
        assert (order_id in await listed()) == still
        assert (await order(order_id))["state"] == "ABANDONED"
    assert provider.asked == []


async def test_every_call_tells_its_provider() -> None:
    deal, provider = await strike("100.00", "50.00"), Oracle()
    await SETTING["PAYOUT", "failed"](deal, provider)
    rows = await fetch("SELECT step, provider FROM provider_calls ORDER BY called_at")
    assert [tuple(row) for row in rows] == [(step, "sandbox") for step in ("TRANSFER", "PAYOUT", "TAKE_BACK")]


async def claimed_for(name: str, order_id: str) -> list[Claimed]:
    await make_due(order_id)
    return await orders.claim(10, provider=name)
