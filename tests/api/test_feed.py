"""The sync feed over HTTP: everything that one may see, in order, with what it touched as it is now."""

from __future__ import annotations

from typing import Any

import pytest

from escrow import cursors, database, log
from escrow.access import PROVIDER, Scope
from escrow.agreement import commands as c
from escrow.erasure import erase
from escrow.pipeline import run
from tests.api.client import PARTY_SCOPES, Caller, People, with_key
from tests.factories import draft

FEED: str = """query ($after: Cursor, $first: Int = 100) { changes(after: $after, first: $first) {
    nodes { cursor event { id type stream sequence texts { field value } }
        contract { id state title } milestones { id state position } }
    cursor hasMore } }"""


async def feed(caller: Caller, after: str | None = None, first: int = 100) -> dict[str, Any]:
    """A page of the feed."""
    page: dict[str, Any] = (await caller.ask(FEED, {"after": after, "first": first}))["changes"]
    return page


async def whole(caller: Caller, first: int = 100) -> list[dict[str, Any]]:
    """The feed from the beginning to the end."""
    found, after = [], None
    while True:
        page = await feed(caller, after, first)
        assert page["nodes"] or not page["hasMore"]
        found += page["nodes"]
        after = page["cursor"]
        if not page["hasMore"]:
            return found


async def placed() -> None:
    """Everything that is committed gets its position."""
    while await log.sequence():
        pass


@pytest.mark.parametrize("first", [1, 2, 7, 100])
async def test_the_feed_is_the_log_as_far_as_one_may_see_it_in_order_and_each_event_once(
    people: People, first: int
) -> None:
    await people.deployment.fund("10.00", "20.00")
    await people.deployment.propose("1.00")
    await placed()
    rows = await database.fetch("SELECT position, event_id, stream_id FROM log_positions ORDER BY position")
    for caller in (people.client, people.freelancer):
        seen = await whole(caller, first)
        assert [(change["cursor"], change["event"]["id"]) for change in seen] == [
            (cursors.print_cursor(row["position"]), row["event_id"])
            for row in rows
            if row["stream_id"].startswith("ctr_") or row["stream_id"] == caller.account_id
        ]
    assert [change["event"]["id"] for change in await whole(people.operator, first)] == [
        row["event_id"] for row in rows
    ]
    assert {change["event"]["stream"] for change in await whole(people.mediator, first)} == {people.mediator.account_id}


async def test_what_an_event_touched_comes_as_it_is_now(people: People) -> None:
    deal = await people.deployment.fund("10.00", "20.00")
    await deal.submit()
    await deal.approve()
    await placed()
    changes = await whole(people.freelancer)
    (added,) = (
        one for one in changes if one["event"]["type"] == "milestone.added" and one["milestones"][0]["position"] == 1
    )
    assert added["contract"]["state"] == "ACTIVE"
    assert added["milestones"] == [{"id": deal.milestone(), "state": "RELEASED", "position": 1}]
    (account, *_) = changes
    assert (account["event"]["type"], account["contract"], account["milestones"]) == ("account.created", None, [])


async def test_removed_and_replaced_milestones_and_dead_contracts_come_as_such(people: People) -> None:
    deal = await people.deployment.activate("10.00", "20.00")
    await run(c.RemoveMilestone(milestone_id=deal.milestone(2)), by=people.deployment.client)
    dead = await people.deployment.propose("5.00")
    await run(c.Decline(contract_id=dead.id), by=people.deployment.freelancer)
    await placed()
    changes = await whole(people.client)
    removed = [one for one in changes if one["event"]["type"] == "milestone.removed"]
    assert removed[0]["milestones"] == [{"id": deal.milestone(2), "state": "CANCELLED", "position": 2}]
    assert {one["contract"]["state"] for one in changes if one["event"]["stream"] == dead.id} == {"DECLINED"}
    cancelled = [one for one in changes if one["event"]["type"] == "milestone.cancelled"]
    assert [one["milestones"][0]["state"] for one in cancelled] == ["CANCELLED"]


async def test_a_deposit_that_fails_touches_the_milestone_that_it_was_for(people: People) -> None:
    deal = await people.deployment.activate("10.00")
    deposit_id = await deal.fund()
    await run(c.FailDeposit(contract_id=deal.id, deposit_id=deposit_id, reason="no"), by=PROVIDER)
    await placed()
    (failed,) = (one for one in await whole(people.client) if one["event"]["type"] == "deposit.failed")
    assert failed["milestones"] == [{"id": deal.milestone(), "state": "PLANNED", "position": 1}]


async def test_milestones_that_moved_up_or_down_are_touched_and_a_plans_layout_touches_each_once(
    people: People,
) -> None:
    deal = await people.deployment.activate("1.00", "2.00", "3.00")
    first = c.AddMilestone(contract_id=deal.id, milestone=draft(), position=2)
    await run(first, by=people.deployment.client)
    await placed()

    async def touched() -> list[tuple[str, set[str]]]:
        changes = [one for one in await whole(people.client) if one["event"]["stream"] == deal.id]
        return [(one["event"]["type"], {each["id"] for each in one["milestones"]}) for one in changes]

    assert (await touched())[1:4] == [("milestone.added", {milestone_id}) for milestone_id in deal.milestone_ids]
    assert (await touched())[-1] == ("milestone.added", {first.milestone.id, *deal.milestone_ids[1:]})
    await run(c.MoveMilestone(milestone_id=deal.milestone(1), position=4), by=people.deployment.client)
    await placed()
    assert (await touched())[-1] == ("milestone.moved", {first.milestone.id, *deal.milestone_ids})


async def test_latest_starts_from_now_and_an_old_cursor_goes_on(people: People) -> None:
    await people.deployment.propose("1.00")
    await placed()
    now = await feed(people.client, "latest")
    assert (now["nodes"], now["hasMore"]) == ([], False)
    assert (await feed(people.client, now["cursor"]))["nodes"] == []
    assert (await feed(people.client, now["cursor"]))["cursor"] == now["cursor"]
    deal = await people.deployment.propose("2.00")
    await placed()
    after = await feed(people.client, now["cursor"])
    assert [one["event"]["stream"] for one in after["nodes"]] == [deal.id, deal.id]
    assert (await feed(people.client))["nodes"][-1]["cursor"] == after["cursor"]


@pytest.mark.parametrize(
    ("after", "says"),
    [
        ("nonsense", "is no cursor of the log"),
        ("LATEST", "is no cursor of the log"),
        ("cur_000000000000u", "is no cursor of the log"),
        (cursors.print_cursor(10**9), "lies beyond the end of this log"),
    ],
)
async def test_nonsense_is_told_in_one_clear_line(people: People, after: str, says: str) -> None:
    (error,) = await people.client.errors(FEED, {"after": after})
    assert says in error["message"]
    assert error["extensions"]["code"] == "BAD_REQUEST"
    (error,) = await people.client.errors(FEED, {"first": 101})
    assert error["extensions"]["code"] == "BAD_REQUEST"


async def test_a_key_limited_to_contracts_sees_theirs_alone_and_one_without_the_scope_nothing(people: People) -> None:
    mine, _ = await people.deployment.propose("1.00"), await people.deployment.propose("1.00")
    await placed()
    there = people.deployment
    for whose, scopes in ((there.client, PARTY_SCOPES), (there.operator, (Scope.OPERATOR, *PARTY_SCOPES))):
        limited = await with_key(people.client.http, whose, there.operator, scopes, contract_ids=(mine.id,))
        assert {one["event"]["stream"] for one in await whole(limited)} == {mine.id}
    blind = await with_key(
        people.client.http, people.deployment.client, people.deployment.operator, (Scope.MONEY_WRITE,)
    )
    (error,) = await blind.errors(FEED)
    assert error["extensions"]["code"] == "FORBIDDEN"
    (error,) = await people.nobody.errors(FEED)
    assert error["extensions"]["code"] == "UNAUTHENTICATED"


async def test_what_the_client_pays_with_never_leaves_and_erased_words_are_gone(people: People) -> None:
    deal = await people.deployment.fund("10.00")
    await placed()
    told = [text["field"] for one in await whole(people.freelancer) for text in one["event"]["texts"]]
    assert "title" in told
    assert "paymentToken" not in told
    await erase(deal.id)
    words = [text["value"] for one in await whole(people.client) for text in one["event"]["texts"]
             if one["event"]["stream"] == deal.id]  # fmt: skip
    assert words
    assert set(words) == {None}


@pytest.mark.parametrize("deals", [1, 12])
async def test_a_page_costs_the_key_the_page_the_contracts_and_the_milestones(people: People, deals: int) -> None:
    for _ in range(deals):
        await people.deployment.fund("10.00", "20.00")
    await placed()
    with database.counting() as statements:
        page = await feed(people.client)
    assert page["nodes"]
    assert len(statements) == 4
    with database.counting() as statements:
        await people.client.ask("{ changes { nodes { event { type } } cursor hasMore } }")
    assert len(statements) == 2
    with database.counting() as statements:
        await feed(people.client, "latest")
    assert len(statements) == 2


async def test_a_page_ends_before_it_touches_too_many_milestones_and_goes_on_after(people: People) -> None:
    deal = await people.deployment.activate(*["1.00"] * 180)
    for position in (180, 179, 180, 178):
        await run(c.MoveMilestone(milestone_id=deal.milestone(1), position=position), by=people.deployment.client)
    await placed()
    now = None
    sizes = []
    while True:
        page = await feed(people.client, now)
        sizes.append(len(page["nodes"]))
        assert sum(len(one["milestones"]) for one in page["nodes"]) <= 500
        now = page["cursor"]
        if not page["hasMore"]:
            break
    assert sum(sizes) == await database.fetch_value(
        "SELECT count(*) FROM events WHERE stream_id = ANY ($1)", [deal.id, people.client.account_id]
    )
