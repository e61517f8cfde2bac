"""Money that may be held only so long, over HTTP: shown, told, refused where windows don't fit, and played by the test clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest_asyncio

from escrow import database, terms
from escrow.audit import audit
from escrow.payments.sandbox import Sandbox
from tests.api.client import Caller, People, door
from tests.api.test_journey import proposal

LIMIT = timedelta(days=60)
HELD_FOR = timedelta(days=30)
"""The usual window of mediation lies between that and the limit."""

MILESTONE = """ id state hold holdUntil deposit { holdUntil startedAt } nextDeadline { at action inFavourOf }
    disputes { nodes { id state openedBy byHoldLimit claim { amount } allowedActions { action allowed reason { code } } } }"""


@pytest_asyncio.fixture(loop_scope="session")
async def people(database: str) -> AsyncIterator[People]:
    """Everybody in front of a sandbox whose provider may hold money for sixty days."""
    before = terms.in_force()
    async with door(sandbox=True, provider=Sandbox(hold_limit=LIMIT)) as http:
        yield await People.meet(http)
    terms.use(before)


async def milestone(who: Caller, milestone_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (
        await who.ask(f"query ($id: ID!) {{ milestone(id: $id) {{ {MILESTONE} }} }}", {"id": milestone_id})
    )["milestone"]
    return found


async def advance(people: People, by: str) -> list[str]:
    payload = await people.operator.done("advanceTestClock", {"by": by}, "events { type } hasMore")
    assert not payload["hasMore"]
    return [event["type"] for event in payload["events"]]


async def sound() -> None:
    assert [str(difference) async for difference in audit()] == []


async def test_what_nobody_was_asked_about_is_told_and_goes_back_to_be_deposited_anew(people: People) -> None:
    deal = await people.deployment.fund("250.00", "500.00")
    shown = await milestone(people.freelancer, deal.milestone())
    until = datetime.fromisoformat(shown["holdUntil"])
    came = await database.fetch_value("SELECT max(occurred_at) FROM events WHERE type = 'deposit.confirmed'")
    assert until == came + HELD_FOR
    assert shown["deposit"]["holdUntil"] == shown["holdUntil"] == shown["nextDeadline"]["at"]
    assert (shown["nextDeadline"]["action"], shown["nextDeadline"]["inFavourOf"]) == ("milestone.unfunded", "CLIENT")
    assert await advance(people, "P29DT12H") == ["deposit.hold_ending"] * 2
    assert await advance(people, "P1D") == ["milestone.unfunded"]
    shown = await milestone(people.client, deal.milestone())
    assert (shown["state"], shown["holdUntil"], shown["nextDeadline"]) == ("PLANNED", None, None)
    await deal.confirm(await deal.fund())
    assert (await milestone(people.client, deal.milestone()))["state"] == "ACTIVE"
    await sound()


async def test_what_was_handed_in_goes_to_a_mediator_and_nobody_takes_that_back(people: People) -> None:
    deal = await people.deployment.fund("250.00")
    await advance(people, "P29D")
    await deal.submit()
    assert await advance(people, "P1D") == ["dispute.opened", "dispute.mediation_started"]
    shown = await milestone(people.client, deal.milestone())
    assert (shown["state"], shown["hold"]) == ("SUBMITTED", "DISPUTE")
    (dispute,) = shown["disputes"]["nodes"]
    assert (dispute["state"], dispute["openedBy"], dispute["byHoldLimit"]) == ("MEDIATION", "FREELANCER", True)
    assert dispute["claim"] == {"amount": "250.00"}
    allowed = {one["action"]: one["reason"] for one in dispute["allowedActions"] if not one["allowed"]}
    assert allowed["WITHDRAW_DISPUTE"] == {"code": "INVALID_STATE"}
    for who in (people.client, people.freelancer):
        refused = await who.do("withdrawDispute", {"disputeId": dispute["id"]}, "dispute { id }")
        assert [one["code"] for one in refused["userErrors"]] == ["INVALID_STATE"]
    given = {"disputeId": dispute["id"], "toFreelancer": {"amount": "200.00", "currency": "USD"}, "reason": "Nearly"}
    await people.operator.done("decideDispute", given, "dispute { state }")
    assert (await milestone(people.client, deal.milestone()))["state"] == "SETTLED"
    await sound()


async def test_windows_that_do_not_fit_are_refused_and_nothing_is_there(people: People) -> None:
    given = proposal(people, "250.00") | {"windows": {"reviewHours": 24 * 24}}
    refused = await people.client.do("proposeContract", given, "contract { id }")
    assert refused["contract"] is None
    (error,) = refused["userErrors"]
    assert (error["code"], error["field"]) == ("INVALID_INPUT", "windows")
    assert error["details"] == {"hours": 61 * 24, "hoursMax": 60 * 24}
    assert await database.fetch_value("SELECT count(*) FROM contracts") == 0
    given = proposal(people, "250.00") | {"windows": {"reviewHours": 23 * 24}}
    await people.client.done("proposeContract", given, "contract { id }")


async def test_a_preview_of_a_deposit_and_the_timeline_tell_of_the_limit_as_well(people: People) -> None:
    deal = await people.deployment.fund("250.00")
    await advance(people, "P29DT12H")
    query = "query ($id: ID!) { contract(id: $id) { timeline(last: 1) { nodes { type data } } } }"
    (last,) = (await people.freelancer.ask(query, {"id": deal.id}))["contract"]["timeline"]["nodes"]
    shown = await milestone(people.freelancer, deal.milestone())
    assert (last["type"], last["data"]["holdUntil"][:19]) == ("deposit.hold_ending", shown["holdUntil"][:19])
    assert last["data"]["hoursLeft"] == 24
