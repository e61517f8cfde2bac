"""What waits for a payer, and what waits for the operator, as the API shows it to whom it concerns."""

from __future__ import annotations

import pytest

from escrow import ids
from escrow.access import PROVIDER, Scope
from escrow.agreement import commands as c
from escrow.database import fetch, fetch_value
from escrow.erasure import erase
from escrow.ids import Kind
from escrow.payments import orders
from escrow.payments.calls import ChargeRequest, PayoutRequest, RefundRequest, TransferRequest
from escrow.payments.results import Answer, Failed, NotYet
from escrow.payments.sandbox import Sandbox
from escrow.pipeline import run
from tests.api.client import Caller, People, with_key
from tests.escrow.payments.stage import make_due

NEXT = """
query ($id: ID!) { node(id: $id) { ... on Deposit {
    state actionRequired dueAt nextDeadline { action } nextAction { kind url clientSecret reference until }
} } }
"""


async def attend(order_id: str, sandbox: Sandbox) -> None:
    await make_due(order_id)
    for claimed in await orders.claim(10):
        assert await orders.attend(claimed, sandbox)


async def waiting(people: People, token: str) -> tuple[str, Sandbox]:
    """A deposit that waits for its payer."""
    deal = await people.deployment.activate("100.00")
    deposit_id = await deal.fund(token=token)
    sandbox = Sandbox(act_seconds=3600.0)
    await attend(await fetch_value("SELECT order_id FROM deposits WHERE id = $1", deposit_id), sandbox)
    return deposit_id, sandbox


async def seen(caller: Caller, deposit_id: str) -> dict[str, object]:
    found: dict[str, object] = (await caller.ask(NEXT, {"id": deposit_id}))["node"]
    return found


@pytest.mark.parametrize(
    ("token", "kind", "told"),
    [
        ("tok_action", "REDIRECT", "url"),
        ("tok_action_confirm", "CONFIRM", "clientSecret"),
        ("tok_action_bank", "BANK_TRANSFER", "reference"),
    ],
)
async def test_the_client_alone_is_told_with_what_to_act(people: People, token: str, kind: str, told: str) -> None:
    deposit_id, _ = await waiting(people, token)
    mine = await seen(people.client, deposit_id)
    action = mine["nextAction"]
    assert isinstance(action, dict)
    assert {name for name, value in action.items() if value is not None} == {"kind", "until", told}
    assert (action["kind"], mine["actionRequired"], mine["nextDeadline"]) == (kind, kind, {"action": "deposit.failed"})
    for other in (people.freelancer, people.operator):
        shown = await seen(other, deposit_id)
        assert (shown["actionRequired"], shown["nextAction"]) == (kind, None)
    secret = str(action[told])
    logged = await fetch("SELECT body FROM events UNION ALL SELECT body::text FROM texts WHERE body IS NOT NULL")
    assert not any(secret in row["body"] for row in logged), "no event has it"
    assert secret not in str([dict(row) for row in await fetch("SELECT * FROM payment_orders")]), "nor lies it open"


async def test_a_key_that_could_not_fund_is_not_told_and_nobody_is_once_it_is_over(people: People) -> None:
    deposit_id, sandbox = await waiting(people, "tok_action")
    deployment = people.deployment
    scopes = (Scope.CONTRACTS_READ, Scope.CONTRACTS_WRITE)
    reader = await with_key(people.client.http, deployment.client, deployment.operator, scopes)
    assert (await seen(reader, deposit_id))["nextAction"] is None
    contract_id = await fetch_value("SELECT contract_id FROM deposits WHERE id = $1", deposit_id)
    await run(c.FailDeposit(contract_id=contract_id, deposit_id=deposit_id, reason="x"), by=PROVIDER)
    over = await seen(people.client, deposit_id)
    assert (over["state"], over["actionRequired"], over["nextAction"]) == ("FAILED", None, None)
    assert await fetch_value("SELECT count(*) FROM payment_orders WHERE next_action IS NOT NULL") == 0
    assert sandbox.terms.provider == "sandbox"


STUCK = """{ stuckOrders { nodes { id state isStuck kind amount { amount }
    allowedActions { action allowed reason { code } } } } }"""


async def stuck(people: People) -> str:
    deal = await people.deployment.activate("100.00")
    await deal.confirm(await deal.fund())
    await deal.approve()
    order_id = ids.new(Kind.ORDER)
    await run(c.RequestPayout(contract_id=deal.id, order_id=order_id), by=deal.freelancer)
    await run(c.MarkStuck(contract_id=deal.id, order_id=order_id, reason="nobody knows"), by=PROVIDER)
    return order_id


async def test_the_operator_finds_what_waits_for_a_person_and_resolves_it(people: People) -> None:
    order_id = await stuck(people)
    (shown,) = (await people.operator.ask(STUCK))["stuckOrders"]["nodes"]
    assert (shown["id"], shown["state"], shown["isStuck"], shown["kind"]) == (order_id, "STARTED", True, "PAYOUT")
    assert shown["allowedActions"] == [{"action": "RESOLVE_ORDER", "allowed": True, "reason": None}]
    for other in (people.client, people.freelancer):
        (same,) = (await other.ask(STUCK))["stuckOrders"]["nodes"]
        assert same["allowedActions"][0]["reason"] == {"code": "FORBIDDEN"}
    assert (await (await people.stranger()).ask(STUCK))["stuckOrders"]["nodes"] == []
    given = {"orderId": order_id, "outcome": "NEVER_HAPPENED", "message": "I asked the bank"}
    refused = await people.freelancer.do("resolveOrder", given, "order { id }")
    assert refused["userErrors"][0]["code"] == "FORBIDDEN"
    done = await people.operator.do("resolveOrder", given, "order { state isStuck } contract { id }")
    assert (done["userErrors"], done["order"]) == ([], {"state": "FAILED", "isStuck": False})
    again = await people.operator.do("resolveOrder", given, "order { id }")
    assert again["userErrors"][0]["code"] == "INVALID_STATE"
    assert (await people.operator.ask(STUCK))["stuckOrders"]["nodes"] == []


class Talkative(Sandbox):
    """What it fails, it fails in the words of a bank."""

    async def confirm(self, provider_id: str, request: ChargeRequest) -> Answer:
        return Failed("the client's card is stolen")

    async def refund(self, request: RefundRequest) -> Answer:
        return Failed("the client's account is closed")

    async def transfer(self, request: TransferRequest) -> Answer:
        return NotYet("the freelancer's bank waits")

    async def payout(self, request: PayoutRequest) -> Answer:
        return Failed("the freelancer's account is closed")


SAID = "query ($id: ID!) { node(id: $id) { ... on PaymentOrder { state explanation } } }"


async def said(caller: Caller, order_id: str) -> str | None:
    found: str | None = (await caller.ask(SAID, {"id": order_id}))["node"]["explanation"]
    return found


@pytest.mark.parametrize(
    ("kind", "token", "words"),
    [
        ("DEPOSIT", "tok_ok", "the client's card is stolen"),
        ("REFUND", "tok_ok", "the client's account is closed"),
        ("PAYOUT", "tok_ok", "the freelancer's bank waits"),
    ],
)
async def test_what_a_bank_says_is_read_by_whose_bank_it_is_and_the_operator_alone(
    people: People, kind: str, token: str, words: str
) -> None:
    deal = await people.deployment.activate("100.00")
    deposit_id = await deal.fund(token=token)
    if kind != "DEPOSIT":
        await deal.confirm(deposit_id)
    if kind == "REFUND":
        await run(c.GiveRefund(milestone_id=deal.milestone()), by=deal.freelancer)
    if kind == "PAYOUT":
        await deal.approve()
        await deal.pay_out()
    order_id = str(await fetch_value("SELECT id FROM payment_orders WHERE kind = $1", kind))
    await fetch("UPDATE payment_orders SET due_at = NULL")
    await attend(order_id, Talkative())
    theirs, others = (people.client, people.freelancer) if kind != "PAYOUT" else (people.freelancer, people.client)
    assert [await said(one, order_id) for one in (theirs, people.operator, others)] == [words, words, None]
    logged = await fetch("SELECT body FROM events UNION ALL SELECT body::text FROM texts WHERE body IS NOT NULL")
    assert not any(words in row["body"] for row in logged), "both sides read the log"
    await erase(deal.id)
    assert await said(people.operator, order_id) is None


async def test_what_a_bank_says_of_a_payout_that_stays_away_is_the_freelancers_and_the_other_side_reads_that_it_is_stuck(
    people: People,
) -> None:
    deal = await people.deployment.activate("100.00")
    await deal.confirm(await deal.fund())
    await deal.approve()
    order_id = await deal.pay_out()
    await fetch("UPDATE payment_orders SET due_at = NULL")

    class Keeping(Talkative):
        transfer = Sandbox.transfer

        async def take_back(self, request: object) -> Answer:
            return Failed("the freelancer has spent it")

    await attend(order_id, Keeping())
    assert await said(people.freelancer, order_id) == "the freelancer's account is closed; the freelancer has spent it"
    assert await said(people.client, order_id) is None
    rows = await fetch(
        "SELECT texts.body::text FROM texts JOIN events ON events.id = event_id WHERE type = 'order.stuck'"
    )
    assert [row["body"] for row in rows] == ['"the payout failed, and its transfer doesn\'t come back from the payee"']
