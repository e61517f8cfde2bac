"""External references and imports over HTTP: what a project tool calls things, and the plan as it has it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from escrow import database, pipeline
from escrow.access import Role, Scope
from escrow.accounts import commands as account_commands
from escrow.agreement import commands as c
from escrow.ids import Kind, new
from escrow.pipeline import run
from tests.api.client import Caller, People, with_key
from tests.factories import draft

REFERENCE = "contract { id } milestone { id } externalReference { system externalId url }"
IMPORT = (
    "contract { planVersion milestones { id title } } milestones { id title externalReferences { externalId url } }"
)


def row(external_id: str, **given: Any) -> dict[str, Any]:
    """A row with everything that a new milestone needs."""
    whole = {"title": f"Task {external_id}", "purpose": "It is needed", "dueOn": "2100-01-01",
             "amount": {"amount": "5.00", "currency": "USD"}}  # fmt: skip
    return {"externalId": external_id} | whole | given


async def found(caller: Caller, external_id: str, system: str = "jira") -> str | None:
    """The id of what the caller's account calls so."""
    query = "query ($system: String!, $id: String!) { byExternalId(system: $system, id: $id) { __typename id } }"
    thing = (await caller.ask(query, {"system": system, "id": external_id}))["byExternalId"]
    return thing["id"] if thing is not None else None


async def test_a_name_is_set_found_replaced_and_removed_and_seen_by_its_account_alone(people: People) -> None:
    deal = await people.deployment.propose("10.00")
    given = {"subjectId": deal.id, "system": "jira", "externalId": "EA-1", "url": "https://jira.example/EA-1"}
    set_ = await people.client.done("setExternalReference", given, REFERENCE)
    assert set_["contract"]["id"] == deal.id
    assert set_["externalReference"] == {"system": "jira", "externalId": "EA-1", "url": given["url"]}
    milestone = {"subjectId": deal.milestone(), "system": "jira", "externalId": "EA-2"}
    assert (await people.client.done("setExternalReference", milestone, REFERENCE))["milestone"][
        "id"
    ] == deal.milestone()
    names = "externalReferences { externalId }"
    query = f"query ($id: ID!) {{ contract(id: $id) {{ {names} milestones {{ {names} }} }} }}"
    seen = (await people.client.ask(query, {"id": deal.id}))["contract"]
    assert seen["externalReferences"] == [{"externalId": "EA-1"}]
    assert seen["milestones"][0]["externalReferences"] == [{"externalId": "EA-2"}]
    assert [await found(people.client, name) for name in ("EA-1", "EA-2", "EA-3")] == [deal.id, deal.milestone(), None]
    for other in (people.freelancer, people.operator):
        assert await found(other, "EA-1") is None
        assert (await other.ask(query, {"id": deal.id}))["contract"]["externalReferences"] == []
    await people.freelancer.done("setExternalReference", given | {"externalId": "EA-1"}, REFERENCE)

    await people.client.done("setExternalReference", given | {"externalId": "EA-9", "url": None}, REFERENCE)
    assert [await found(people.client, name) for name in ("EA-1", "EA-9")] == [None, deal.id]
    removal = {"subjectId": deal.id, "system": "jira"}
    for _ in range(2):
        removed = await people.client.done("removeExternalReference", removal, REFERENCE)
        assert (removed["externalReference"], removed["contract"]) == (None, {"id": deal.id})
    assert await found(people.client, "EA-9") is None
    assert await found(people.freelancer, "EA-1") == deal.id
    assert await database.fetch_value("SELECT version FROM contracts WHERE id = $1", deal.id) == 2


async def test_a_name_stands_for_one_thing_but_that_of_an_earlier_revisions_milestone_is_free(people: People) -> None:
    deal = await people.deployment.propose("10.00")
    taken = {"subjectId": deal.milestone(), "system": "jira", "externalId": "EA-1"}
    await people.client.done("setExternalReference", taken, REFERENCE)
    refused = await people.client.do("setExternalReference", taken | {"subjectId": deal.id}, REFERENCE)
    (error,) = refused["userErrors"]
    assert (error["code"], error["field"], error["details"]) == (
        "INVALID_STATE", "externalId", {"subjectId": deal.milestone()},
    )  # fmt: skip
    assert await found(people.client, "EA-1") == deal.milestone()
    plan = (draft(), draft())
    await run(c.Revise(contract_id=deal.id, terms=c.Terms(), plan=plan), by=people.deployment.freelancer)
    await people.client.done("setExternalReference", taken | {"subjectId": plan[1].id}, REFERENCE)
    assert await found(people.client, "EA-1") == plan[1].id


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"system": "My Tool"}, "system"),
        ({"system": ""}, "system"),
        ({"externalId": ""}, "externalId"),
        ({"externalId": " x"}, "externalId"),
        ({"externalId": "x" * 256}, "externalId"),
        ({"externalId": "a\nb"}, "externalId"),
        ({"url": "javascript:alert(1)"}, "url"),
        ({"url": "https://x/" + "y" * 2000}, "url"),
    ],
)
async def test_what_is_no_name_is_refused_and_nothing_is_kept(
    people: People, wrong: dict[str, str], field: str
) -> None:
    deal = await people.deployment.propose("10.00")
    given = {"subjectId": deal.id, "system": "jira", "externalId": "EA-1"} | wrong
    (error,) = (await people.client.do("setExternalReference", given, REFERENCE))["userErrors"]
    assert (error["code"], error["field"]) == ("INVALID_INPUT", field)
    assert await database.fetch_value("SELECT count(*) FROM external_references") == 0


async def test_names_are_for_those_who_see_the_thing_and_may_write(people: People) -> None:
    deal, there = await people.deployment.propose("10.00"), people.deployment
    given = {"subjectId": deal.id, "system": "jira", "externalId": "EA-1"}
    stranger = await people.stranger()
    member = account_commands.AddMember(
        account_id=people.client.account_id,
        member_id=new(Kind.MEMBER),
        person="v@example.com",
        name="V",
        role=Role.VIEWER,
    )
    await pipeline.run(member, by=there.operator)
    viewer = await with_key(people.client.http, there.client, there.operator, member_id=member.member_id)
    reader = await with_key(people.client.http, there.client, there.operator, (Scope.CONTRACTS_READ,))
    elsewhere = await with_key(
        people.client.http, there.client, there.operator, contract_ids=((await there.propose()).id,)
    )
    for caller, code in (
        (stranger, "NOT_FOUND"),
        (viewer, "FORBIDDEN"),
        (reader, "FORBIDDEN"),
        (elsewhere, "NOT_FOUND"),
        (people.mediator, "NOT_FOUND"),
    ):
        for mutation, input_ in (
            ("setExternalReference", given),
            ("removeExternalReference", given | {"externalId": None}),
        ):
            wanted = {name: value for name, value in input_.items() if value is not None}
            (error,) = (await caller.do(mutation, wanted, REFERENCE))["userErrors"]
            assert error["code"] == code
    for nonsense in ("", "ctr_x", "acc_1", new(Kind.CONTRACT)):
        (error,) = (await people.client.do("setExternalReference", given | {"subjectId": nonsense}, REFERENCE))[
            "userErrors"
        ]
        assert error["code"] == "NOT_FOUND"
    assert await database.fetch_value("SELECT count(*) FROM external_references") == 0
    await people.client.done("setExternalReference", given, REFERENCE)
    assert await found(elsewhere, "EA-1") is None
    blind = await with_key(people.client.http, there.client, there.operator, (Scope.CONTRACTS_WRITE,))
    assert (await blind.done("setExternalReference", given, REFERENCE))["contract"] is None


async def test_a_mediator_names_what_is_disputed(people: People) -> None:
    deal = await people.deployment.fund("10.00")
    await deal.open_dispute(claim="0.00")
    for subject_id, name in ((deal.id, "EA-1"), (deal.milestone(), "EA-2")):
        given = {"subjectId": subject_id, "system": "jira", "externalId": name}
        noted = await people.mediator.done("setExternalReference", given, REFERENCE)
        assert noted["externalReference"]["externalId"] == name
        assert await found(people.mediator, name) == subject_id
    removal = {"subjectId": deal.id, "system": "jira"}
    await people.mediator.done("removeExternalReference", removal, REFERENCE)
    assert await found(people.mediator, "EA-1") is None


async def test_one_thing_has_at_most_twenty_names_and_a_race_for_one_has_one_winner(people: People) -> None:
    deal = await people.deployment.propose("10.00", "20.00")
    given = {"subjectId": deal.id, "externalId": "x"}
    for number in range(20):
        await people.client.done("setExternalReference", given | {"system": f"s{number}"}, REFERENCE)
    (error,) = (await people.client.do("setExternalReference", given | {"system": "one-more"}, REFERENCE))["userErrors"]
    assert (error["code"], error["field"]) == ("INVALID_INPUT", "system")
    racing = [{"subjectId": subject, "system": "race", "externalId": "EA-1"} for subject in [*deal.milestone_ids] * 5]
    answers = await asyncio.gather(*(people.client.do("setExternalReference", one, REFERENCE) for one in racing))
    won = {answer["milestone"]["id"] for answer in answers if not answer["userErrors"]}
    assert len(won) == 1
    assert {error["code"] for answer in answers for error in answer["userErrors"]} == {"INVALID_STATE"}


async def test_an_import_makes_and_changes_milestones_by_name_in_two_round_trips(people: People) -> None:
    deal = await people.deployment.activate("10.00")
    name = {"subjectId": deal.milestone(), "system": "jira", "externalId": "EA-1"}
    await people.client.done("setExternalReference", name, REFERENCE)
    rows = [row("EA-3", url="https://jira.example/3"), {"externalId": "EA-1", "title": "Renamed"}, row("EA-2")]
    given = {"contractId": deal.id, "system": "jira", "rows": rows, "message": "From the board"}
    with database.counting() as statements:
        first = await people.client.done("importMilestones", given, "contract { planVersion } milestones { id title }")
    assert len(statements) == 3  # the key, the read, the write
    assert [one["title"] for one in first["milestones"]] == ["Task EA-3", "Renamed", "Task EA-2"]
    assert first["milestones"][1]["id"] == deal.milestone()
    assert [await found(people.client, f"EA-{n}") for n in (3, 1, 2)] == [one["id"] for one in first["milestones"]]
    again = await people.client.done("importMilestones", given, IMPORT)
    assert [one["id"] for one in again["milestones"]] == [one["id"] for one in first["milestones"]]
    assert again["contract"]["planVersion"] == first["contract"]["planVersion"]
    assert [one["title"] for one in again["contract"]["milestones"]] == ["Renamed", "Task EA-3", "Task EA-2"]
    assert again["milestones"][0]["externalReferences"] == [{"externalId": "EA-3", "url": "https://jira.example/3"}]
    types = await deal.types()
    assert types[-3:] == ["milestone.added", "milestone.edited", "milestone.added"]
    moved = given | {"rows": [{"externalId": "EA-3", "url": "https://jira.example/new"}]}
    changed = await people.client.done("importMilestones", moved, IMPORT)
    assert changed["milestones"][0]["externalReferences"][0]["url"] == "https://jira.example/new"
    assert await deal.types() == types


async def test_an_import_that_is_wrong_anywhere_does_nothing_and_says_each_row_that_is(people: People) -> None:
    deal, other = await people.deployment.activate("10.00"), await people.deployment.activate("10.00")
    name = {"subjectId": other.milestone(), "system": "jira", "externalId": "EA-7"}
    await people.client.done("setExternalReference", name, REFERENCE)
    rows = [
        row("EA-1"),
        row("EA-7"),
        row("EA-2", amount={"amount": "1.001", "currency": "USD"}),
        {"externalId": "EA-3"},
    ]
    given = {"contractId": deal.id, "system": "jira", "rows": rows}
    errors = (await people.client.do("importMilestones", given, IMPORT))["userErrors"]
    assert [(error["code"], error["field"], error["details"]["row"]) for error in errors] == [
        ("INVALID_STATE", "rows.1.externalId", 1),
        ("INVALID_INPUT", "rows.2.amount.amount", 2),
        ("INVALID_INPUT", "rows.3.title", 3),
    ]
    assert await found(people.client, "EA-1") is None
    assert await deal.states() == ["PLANNED"]
    stale = await people.client.do("importMilestones", given | {"expectedVersion": 99}, IMPORT)
    assert stale["userErrors"][0]["code"] == "VERSION_CONFLICT"
    assert stale["contract"]["planVersion"] == 1
    (error,) = (await people.freelancer.do("importMilestones", given, IMPORT))["userErrors"]
    assert error["code"] == "FORBIDDEN"


async def test_two_hundred_rows_go_in_at_once_and_twenty_imports_of_the_same_rows_make_them_once(
    people: People,
) -> None:
    deal = await people.deployment.activate("10.00")
    given = {"contractId": deal.id, "system": "jira", "rows": [row(f"EA-{n}") for n in range(199)]}
    answers = await asyncio.gather(
        *(people.client.done("importMilestones", given, "milestones { id }", key=f"k{n % 3}") for n in range(20))
    )
    assert len({json_of(answer["milestones"]) for answer in answers}) == 1
    assert len(await deal.states()) == 200
    assert await database.fetch_value("SELECT count(*) FROM external_references") == 199


def json_of(value: Any) -> str:
    """A value that can be compared in a set."""
    return repr(value)


async def test_an_import_repeated_with_its_key_answers_with_the_same_milestones(people: People) -> None:
    deal = await people.deployment.activate("10.00")
    given = {"contractId": deal.id, "system": "jira", "rows": [row("EA-1"), row("EA-2")]}
    first = await people.client.done("importMilestones", given, "milestones { id }", key="k")
    await people.client.done(
        "removeExternalReference", {"subjectId": first["milestones"][0]["id"], "system": "jira"}, REFERENCE
    )
    assert await people.client.done("importMilestones", given, "milestones { id }", key="k") == first
    assert len(await deal.states()) == 3


async def test_a_milestone_of_an_earlier_revision_gives_its_name_to_the_import(people: People) -> None:
    deal = await people.deployment.propose("10.00")
    name = {"subjectId": deal.milestone(), "system": "jira", "externalId": "EA-1"}
    await people.client.done("setExternalReference", name, REFERENCE)
    await run(c.Revise(contract_id=deal.id, terms=c.Terms(), plan=(draft(),)), by=people.deployment.freelancer)
    await run(c.Accept(contract_id=deal.id, revision=2), by=people.deployment.client)
    given = {"contractId": deal.id, "system": "jira", "rows": [row("EA-1")]}
    made = await people.client.done("importMilestones", given, "milestones { id }")
    assert await found(people.client, "EA-1") == made["milestones"][0]["id"] != deal.milestone()


async def test_names_cost_one_statement_for_a_whole_list(people: People) -> None:
    for number in range(3):
        deal = await people.deployment.propose("10.00")
        given = {"subjectId": deal.id, "system": "jira", "externalId": f"EA-{number}"}
        with database.counting() as statements:
            await people.client.done("setExternalReference", given, "externalReference { externalId }")
        assert len(statements) == 4  # the key, the read, the write, the contract
    with database.counting() as statements:
        await people.client.ask("{ contracts { nodes { externalReferences { externalId } } } }")
    assert len(statements) == 3
    with database.counting() as statements:
        await people.client.ask('{ byExternalId(system: "jira", id: "EA-1") { id } }')
    assert len(statements) == 3
