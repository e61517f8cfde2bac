"""What waits for a payer, and what waits for the operator, as the API shows it to whom it concerns."""

from __future__ import annotations

import pytest

from escrow import ids
from escrow.access import PROVIDER, Scope
from escrow.agreement import commands as c
from escrow.database import fetch, fetch_value
from escrow.ids import Kind
from escrow.payments import orders
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
