"""Payees over the API: who asks to be paid, who sees what the provider says, and what accepting a contract hints at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from escrow import terms
from escrow.payments import payees
from escrow.payments.sandbox import Sandbox
from tests.api.client import People

PAYEE = "account { payee { canBePaid missing since until } } url"


@pytest.fixture
def needs_payees(people: People) -> Iterator[None]:
    """The terms of a provider that pays only whom it has taken on, for the deployment of these people."""
    before = terms.in_force()
    terms.use(terms.Terms(needs_payees=True))
    yield
    terms.use(before)


async def test_an_account_asks_to_be_paid_and_it_and_the_operator_alone_see_what_comes_of_it(people: People) -> None:
    await people.deployment.activate("10.00")
    account_id = people.freelancer.account_id
    given = {"accountId": account_id, "returnUrl": "https://app.example.com/back"}
    made = await people.freelancer.done("connectPayee", given, PAYEE)
    assert made["url"] == "https://app.example.com/back"
    await payees.look(Sandbox(), limit=10)
    query = f'{{ node(id: "{account_id}") {{ ... on Account {{ payee {{ canBePaid missing }} }} }} }}'
    for who in (people.freelancer, people.operator):
        assert (await who.ask(query))["node"]["payee"] == {"canBePaid": True, "missing": []}
    assert (await people.client.ask(query))["node"] == {"payee": None}
    for whose in (people.client, await people.stranger()):
        refused = await whose.do("connectPayee", {"accountId": account_id}, "url")
        assert refused["url"] is None
        assert refused["userErrors"][0]["code"] in ("FORBIDDEN", "NOT_FOUND")


@pytest.mark.parametrize("url", ["http://app.example.com", "javascript:alert(1)", "https://a\nb", ""])
async def test_only_a_page_with_https_is_returned_to(people: People, url: str) -> None:
    given = {"accountId": people.freelancer.account_id, "returnUrl": url}
    refused = await people.freelancer.do("connectPayee", given, "url")
    assert [(one["code"], one["field"]) for one in refused["userErrors"]] == [("INVALID_INPUT", "returnUrl")]
    assert await people.freelancer.ask("{ viewer { account { payee { since } } } }") == {
        "viewer": {"account": {"payee": None}}
    }


@pytest.mark.usefixtures("needs_payees")
async def test_accepting_hints_at_a_payee_that_cannot_be_paid_and_is_not_held_up(people: People) -> None:
    for is_connected in (False, True):
        if is_connected:
            await people.freelancer.done("connectPayee", {"accountId": people.freelancer.account_id}, "url")
        deal = await people.deployment.propose("10.00")
        given = {"contractId": deal.id, "revision": 1}
        accepted = await people.freelancer.done("acceptContract", given, "contract { state } payeeHint")
        assert accepted["contract"] == {"state": "ACTIVE"}
        assert (accepted["payeeHint"] is None) is is_connected


@pytest.mark.usefixtures("needs_payees")
async def test_what_may_be_done_says_of_a_payout_what_asking_for_it_would(people: People) -> None:
    deal = await people.deployment.fund("10.00")
    await deal.approve()
    query = f'{{ contract(id: "{deal.id}") {{ allowedActions {{ action allowed reason {{ code details }} }} }} }}'

    async def payout() -> dict[str, Any]:
        actions = (await people.freelancer.ask(query))["contract"]["allowedActions"]
        return next(dict(one) for one in actions if one["action"] == "REQUEST_PAYOUT")

    given = {"contractId": deal.id}
    refused = await people.freelancer.do("requestPayout", given, "contract { id }")
    (why,) = [{name: one[name] for name in ("code", "details")} for one in refused["userErrors"]]
    assert await payout() == {"action": "REQUEST_PAYOUT", "allowed": False, "reason": why}
    await people.freelancer.done("connectPayee", {"accountId": people.freelancer.account_id}, "url")
    await payees.look(Sandbox(), limit=10)
    assert await payout() == {"action": "REQUEST_PAYOUT", "allowed": True, "reason": None}
    await people.freelancer.done("requestPayout", given, "contract { id }")
