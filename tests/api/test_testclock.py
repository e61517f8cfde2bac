"""The test clock, through the API: a fortnight in a second, everything on the way in order, and never backwards."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from escrow import clock, database, pipeline, testclock
from escrow.agreement.commands import ApplyDeadlines
from escrow.audit import audit
from escrow.codec import print_time
from escrow.errors import DomainError
from escrow.settings import SettingError
from tests.api.client import Caller, People, door, with_key
from tests.api.test_journey import proposal
from tests.factories import Deployment
from tests.workers.sweeping import due_times, each_once, releases, several, submitted, sweeping

FIELDS = "to reachedAt hasMore events { id type occurredAt stream sequence actor { kind } data }"
APPROACHING = "milestone.deadline_approaching"


@pytest_asyncio.fixture(loop_scope="session")
async def sandbox(database: str) -> AsyncIterator[People]:
    """Everybody in front of a sandbox's door."""
    async with door(sandbox=True) as http:
        yield await People.meet(http)


@pytest_asyncio.fixture(loop_scope="session")
async def real(database: str) -> AsyncIterator[People]:
    """Everybody in front of a door where money is real."""
    async with door(sandbox=False) as http:
        yield await People.meet(http)


async def advance(who: Caller, **given: Any) -> dict[str, Any]:
    return await who.done("advanceTestClock", given, FIELDS)


async def advance_to_the_end(who: Caller, to: str) -> list[dict[str, Any]]:
    """Every event on the way, call after call; each call has some."""
    events: list[dict[str, Any]] = []
    while True:
        payload = await advance(who, to=to)
        events += payload["events"]
        if not payload["hasMore"]:
            return events
        assert payload["events"]
        assert payload["reachedAt"] < to


async def refused(who: Caller, **given: Any) -> tuple[str, str | None]:
    before = await clock.now()
    payload = await who.do("advanceTestClock", given, FIELDS)
    assert payload["events"] is payload["reachedAt"] is None
    assert await clock.now() - before < timedelta(minutes=1), "the refused thing did not happen"
    (error,) = payload["userErrors"]
    return error["code"], error["field"]


def types(payload: dict[str, Any]) -> list[str]:
    return [event["type"] for event in payload["events"]]


async def test_a_review_of_fourteen_days_takes_a_second(sandbox: People) -> None:
    deal = await submitted(sandbox.deployment)
    due = await due_times([deal])
    payload = await advance(sandbox.operator, by="P14D")
    assert types(payload) == [APPROACHING] * 3 + ["milestone.released"]
    assert {event["actor"]["kind"] for event in payload["events"]} == {"CLOCK"}
    assert payload["events"][-1]["occurredAt"] == print_time(due[deal.id])
    assert payload["events"][-1]["data"]["reason"] == "AUTO_RELEASED"
    assert not payload["hasMore"]
    assert payload["to"] <= payload["reachedAt"]
    await each_once(due, [deal])


async def test_a_number_of_seconds_and_a_time_are_other_ways_to_say_it(sandbox: People) -> None:
    before = await clock.now()
    first = await advance(sandbox.operator, by=3600)
    assert timedelta(hours=1) <= await clock.now() - before < timedelta(hours=1, minutes=1)
    to = datetime.fromisoformat(first["reachedAt"]) + timedelta(days=400)
    second = await advance(sandbox.operator, to=to.isoformat())
    assert second["to"] == print_time(to)
    assert to <= await clock.now() < to + timedelta(minutes=1)


async def test_whoever_asks_is_told_the_time_that_deadlines_run_on(sandbox: People) -> None:
    async def told() -> datetime:
        viewer = (await sandbox.client.ask("{ viewer { now isSandbox } }"))["viewer"]
        assert viewer["isSandbox"] is True
        return datetime.fromisoformat(viewer["now"])

    before = await told()
    await advance(sandbox.operator, by="P3D")
    assert before + timedelta(days=3) <= await told() <= await clock.now()


async def test_a_deployment_whose_money_is_real_says_that_it_is_no_sandbox(real: People) -> None:
    assert await real.client.ask("{ viewer { isSandbox } }") == {"viewer": {"isSandbox": False}}


async def test_a_time_that_has_come_already_is_no_error_and_moves_nothing(sandbox: People) -> None:
    payload = await advance(sandbox.operator, by="P30D")
    before = await clock.now()
    again = await advance(sandbox.operator, to=payload["to"])
    assert (again["events"], again["hasMore"]) == ([], False)
    for long_ago in ("0001-01-01T00:00:00Z", "1970-01-01T00:00:00+14:00"):
        for _ in range(2):
            past = await sandbox.operator.done("advanceTestClock", {"to": long_ago}, FIELDS, key=long_ago)
            assert (past["to"], past["events"]) == ("1970-01-01T00:00:00.000000Z", [])
    assert timedelta(0) < await clock.now() - before < timedelta(minutes=1)


async def test_everything_happens_in_due_order_across_contracts_each_at_its_own_time(sandbox: People) -> None:
    there = sandbox.deployment
    await several(there, 4)
    await there.propose()
    paying = await there.activate()
    await paying.fund()
    events = (await advance(sandbox.operator, by="P31D"))["events"]
    times = [event["occurredAt"] for event in events]
    assert times == sorted(times)
    assert [event["type"] for event in events if event["type"] != APPROACHING] == [
        "deposit.abandoned",
        *["milestone.released"] * 4,
        "contract.expired",
        *["milestone.cancelled"] * 2,
    ]
    stored = await database.fetch("SELECT count(*) AS n FROM events WHERE body::json->'actor'->>'kind' = 'CLOCK'")
    assert stored[0]["n"] == len(events) == len({event["id"] for event in events})
    assert [difference async for difference in audit()] == []


async def test_more_than_one_call_does_goes_on_with_the_same_time(
    sandbox: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(testclock, "DEADLINES_MAX", 3)
    deals = await several(sandbox.deployment, 4)
    due = await due_times(deals)
    first = await advance(sandbox.operator, by="P20D")
    assert (len(first["events"]), first["hasMore"]) == (3, True)
    assert first["reachedAt"] < first["to"]
    rest = await advance_to_the_end(sandbox.operator, first["to"])
    assert len(rest) == 4 * 4 - 3
    await each_once(due, deals)


@pytest.mark.parametrize("pumps", [1, 3])
async def test_with_workers_beside_it_nothing_is_done_twice_and_nothing_is_left_untold(
    sandbox: People, pumps: int
) -> None:
    deals = await several(sandbox.deployment, 15)
    due = await due_times(deals)
    async with sweeping(pumps):
        payload = await advance(sandbox.operator, by="P15D")
    assert types(payload).count("milestone.released") == len(deals)
    assert types(payload).count(APPROACHING) == 3 * len(deals)
    await each_once(due, deals)


async def test_commands_beside_it_never_see_time_go_back_and_no_event_is_later_than_the_clock(
    sandbox: People,
) -> None:
    there = sandbox.deployment
    deals = await several(there, 5)
    stopped = asyncio.Event()

    async def bystander() -> list[datetime]:
        seen: list[datetime] = []
        while not stopped.is_set():
            with contextlib.suppress(DomainError):  # the clock may pass a deposit's window in the middle of it
                await submitted(there, "10.00")
            seen.append(await clock.now())
        return seen

    tasks = [asyncio.create_task(bystander()) for _ in range(2)]
    for _ in range(3):
        await advance(sandbox.operator, by="P10D")
    stopped.set()
    for seen in await asyncio.gather(*tasks):
        assert seen == sorted(seen)
    ahead = await database.fetch_value(f"SELECT count(*) FROM events WHERE occurred_at > {clock.NOW_SQL}")
    back = await database.fetch_value(
        "SELECT count(*) FROM (SELECT occurred_at < lag(occurred_at) OVER (PARTITION BY stream_id ORDER BY sequence) AS back "
        "FROM events) AS steps WHERE back"
    )
    assert (ahead, back) == (0, 0)
    assert [len(found) for found in (await releases(deals)).values()] == [1] * len(deals)
    assert [difference async for difference in audit()] == []


async def test_two_at_once_go_as_far_as_the_further_one(sandbox: People) -> None:
    deals = await several(sandbox.deployment, 4)
    due = await due_times(deals)
    to = await clock.now() + timedelta(days=20)
    await asyncio.gather(
        advance(sandbox.operator, to=print_time(to)), advance(sandbox.operator, to=print_time(to - timedelta(days=10)))
    )
    assert to <= await clock.now() < to + timedelta(minutes=1)
    await each_once(due, deals)


async def test_the_same_key_again_is_sent_where_the_first_call_was(sandbox: People) -> None:
    first = await sandbox.operator.done("advanceTestClock", {"by": "P1D"}, FIELDS, key="tomorrow")
    again = await sandbox.operator.done("advanceTestClock", {"by": "P1D"}, FIELDS, key="tomorrow")
    assert again["to"] == first["to"]
    assert datetime.fromisoformat(again["reachedAt"]) - datetime.fromisoformat(first["to"]) < timedelta(minutes=1)
    other = await sandbox.operator.do("advanceTestClock", {"by": "P2D"}, FIELDS, key="tomorrow")
    assert [error["code"] for error in other["userErrors"]] == ["IDEMPOTENCY_KEY_REUSED"]


async def test_a_contract_that_fails_is_passed_by(sandbox: People, monkeypatch: pytest.MonkeyPatch) -> None:
    ill, well = await several(sandbox.deployment, 2)
    run = pipeline.run

    async def failing(command: Any, **options: Any) -> Any:
        if isinstance(command, ApplyDeadlines) and command.contract_id == ill.id:
            raise ZeroDivisionError
        return await run(command, **options)

    monkeypatch.setattr(pipeline, "run", failing)
    payload = await advance(sandbox.operator, by="P20D")
    assert {event["stream"] for event in payload["events"]} == {well.id}
    assert not payload["hasMore"]
    assert (await ill.types())[-1] == "milestone.submitted"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "by"),
        ({"by": "P1D", "to": "2030-01-01T00:00:00Z"}, "by"),
        ({"by": 0}, "by"),
        ({"by": -5}, "by"),
        ({"by": "P999999D"}, "by"),
        ({"to": "9999-12-31T00:00:00Z"}, "to"),
    ],
    ids=str,
)
async def test_what_is_no_way_forward_is_refused(sandbox: People, given: dict[str, Any], field: str) -> None:
    assert await refused(sandbox.operator, **given) == ("INVALID_INPUT", field)


async def test_only_the_operator_moves_it(sandbox: People) -> None:
    unscoped = await with_key(sandbox.client.http, sandbox.deployment.operator, sandbox.deployment.operator)
    for who in (sandbox.client, sandbox.freelancer, sandbox.mediator, unscoped):
        assert await refused(who, by="P1D") == ("FORBIDDEN", None)


async def test_outside_of_a_sandbox_there_is_no_test_clock(real: People) -> None:
    before = await clock.now()
    for who in (real.operator, real.client, real.nobody):
        (error,) = await who.errors('mutation { advanceTestClock(input: {by: "P1D"}) { to } }')
        assert "Cannot query field 'advanceTestClock'" in error["message"]
    sdl = (await real.nobody.http.get("/schema.graphql")).text
    assert "estClock" not in sdl
    found = await real.nobody.ask("{ __schema { types { name } } }")
    assert not [one for one in found["__schema"]["types"] if "TestClock" in one["name"]]
    assert await clock.now() - before < timedelta(hours=1)
    with pytest.raises(DomainError, match="only in a sandbox"):
        await testclock.advance(by=real.deployment.operator, sandbox=False, span=timedelta(days=1))


@pytest.mark.usefixtures("database")
async def test_a_database_whose_time_was_moved_serves_no_real_money() -> None:
    await clock.check_real(sandbox=False)
    await database.execute("UPDATE deployment SET clock_offset = interval '1 microsecond'")
    await clock.check_real(sandbox=True)
    with pytest.raises(SettingError, match=r"^EARNEST_SANDBOX is off, but a test clock has moved"):
        await clock.check_real(sandbox=False)


async def test_a_proposal_made_after_a_long_way_has_its_window_from_there(sandbox: People) -> None:
    await advance(sandbox.operator, by="P100D")
    made = await sandbox.client.done(
        "proposeContract", proposal(sandbox, "10.00"), "contract { offeredAt nextDeadline { at action } }"
    )
    offered = datetime.fromisoformat(made["contract"]["offeredAt"])
    assert datetime.fromisoformat(made["contract"]["nextDeadline"]["at"]) == offered + timedelta(days=30)
    assert offered - await clock.now() < timedelta(0)


@pytest.mark.usefixtures("database")
async def test_a_daylight_saving_zone_of_the_server_moves_nothing() -> None:
    there = await Deployment.make()
    deal = await submitted(there)
    due = (await due_times([deal]))[deal.id]
    async with database.transaction() as connection:
        await connection.execute("SET LOCAL TIME ZONE 'Europe/Lisbon'")
        for days in (120, 240):  # across both changes, in whichever season this runs
            await connection.execute(testclock._ARRIVE, due + timedelta(days=days))
            at = await connection.fetchval(f"SELECT {clock.NOW_SQL}")
            assert timedelta(0) <= at - (due + timedelta(days=days)) < timedelta(minutes=1)


# -- seen from outside ----------------------------------------------------------------------------------------------


async def listed(who: Caller, **filter_: Any) -> list[str]:
    query = """query ($filter: MilestoneFilter) { milestones(filter: $filter) { nodes {
        id nextDeadline { at action inFavourOf } contract { nextDeadline { at action } } } } }"""
    nodes = (await who.ask(query, {"filter": filter_}))["milestones"]["nodes"]
    for node in nodes:
        if "deadlineBefore" in filter_:
            assert node["nextDeadline"]["at"] < filter_["deadlineBefore"]
        for shown in (node["nextDeadline"], node["contract"]["nextDeadline"]):
            assert shown is None or shown["action"] != APPROACHING, "a reminder is no deadline that anybody sees"
    return sorted(node["id"] for node in nodes)


async def test_milestones_are_found_by_what_will_happen_to_them_and_when(sandbox: People) -> None:
    there, who = sandbox.deployment, sandbox.client
    reviewed, paying, idle = await submitted(there), await there.activate(), await there.fund()
    await paying.fund()
    now = await clock.now()
    week, month = print_time(now + timedelta(days=7)), print_time(now + timedelta(days=30))
    assert await listed(who, deadlineBefore=print_time(now)) == []
    assert await listed(who, deadlineBefore=week) == [paying.milestone()]
    assert await listed(who, deadlineBefore=month) == sorted([reviewed.milestone(), paying.milestone()])
    assert await listed(who, deadlineBefore=month, state=["SUBMITTED"]) == [reviewed.milestone()]
    assert await listed(who, deadlineBefore=month, contractId=idle.id) == []
    await reviewed.request_changes()
    assert await listed(who, deadlineBefore=month) == [paying.milestone()]
    await advance(sandbox.operator, by="P4D")
    assert await listed(who, deadlineBefore=month) == []


async def test_milestones_are_found_by_their_due_dates(sandbox: People) -> None:
    deal = await sandbox.deployment.fund()
    assert await listed(sandbox.client, dueBefore="2100-01-01") == []
    assert await listed(sandbox.client, dueBefore="2100-01-02") == sorted(deal.milestone_ids)
    assert await listed(sandbox.client, dueBefore="2100-01-02", state=["ACTIVE"]) == [deal.milestone()]
    stranger = await sandbox.stranger()
    assert await listed(stranger, dueBefore="2100-01-02") == []


async def test_the_next_deadline_names_the_end_of_the_window_also_after_reminders(sandbox: People) -> None:
    deal = await submitted(sandbox.deployment)
    due = await due_times([deal])
    query = "query ($id: ID!) { milestone(id: $id) { nextDeadline { at action inFavourOf } contract { nextDeadline { at } } } }"
    for _ in range(4):
        shown = (await sandbox.client.ask(query, {"id": deal.milestone()}))["milestone"]
        assert shown["nextDeadline"] == {
            "at": print_time(due[deal.id]),
            "action": "milestone.released",
            "inFavourOf": "FREELANCER",
        }
        assert shown["contract"]["nextDeadline"]["at"] == print_time(due[deal.id])
        await advance(sandbox.operator, by="P3D")
