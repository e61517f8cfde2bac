"""Pages: each entry comes once, in order, whatever the page size; what is not one's own never comes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from escrow.erasure import erase
from escrow.pipeline import run
from tests.api.client import Caller, People


async def _pages(caller: Caller, query: str, *path: str, first: int) -> list[Any]:
    """All nodes of a list, read page by page with the query's `$first` and `$after`."""
    found: list[Any] = []
    after: str | None = None
    while True:
        page: Any = await caller.ask(query, {"first": first, "after": after})
        for name in path:
            page = page[name]
        assert [edge["node"] for edge in page["edges"]] == page["nodes"]
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        assert len(page["nodes"]) <= first
        found += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return found
        assert len(page["nodes"]) == first
        assert page["edges"][-1]["cursor"] == after


def _list(field: str, nodes: str, arguments: str = "") -> str:
    page = f"nodes {{ {nodes} }} edges {{ cursor node {{ {nodes} }} }} pageInfo {{ hasNextPage hasPreviousPage endCursor }}"
    return f"query ($first: Int!, $after: Cursor) {{ {field}(first: $first, after: $after{arguments}) {{ {page} }} }}"


@pytest.mark.parametrize("first", [1, 2, 3, 100])
async def test_contracts_come_newest_first_from_both_roles_and_each_once(people: People, first: int) -> None:
    made = [(await people.deployment.propose()).id for _ in range(3)]
    other = await people.deployment.propose()
    stranger = await people.stranger()
    for caller in (people.client, people.freelancer, people.operator):
        found = await _pages(caller, _list("contracts", "id"), "contracts", first=first)
        assert [node["id"] for node in found] == sorted([*made, other.id], reverse=True)
    assert await _pages(stranger, _list("contracts", "id"), "contracts", first=first) == []


async def test_a_party_of_some_as_client_and_of_others_as_freelancer_finds_all(people: People) -> None:
    mine = [await people.deployment.propose() for _ in range(2)]
    helper = await people.stranger()
    command = people.deployment.proposal()
    subcontract = replace(command, client_id=command.freelancer_id, freelancer_id=helper.account_id)
    await run(subcontract, by=people.deployment.freelancer)
    found = await _pages(people.freelancer, _list("contracts", "id"), "contracts", first=1)
    assert [node["id"] for node in found] == sorted([*(deal.id for deal in mine), command.contract_id], reverse=True)
    of_helper = await _pages(helper, _list("contracts", "id"), "contracts", first=1)
    assert [node["id"] for node in of_helper] == [command.contract_id]


async def test_filters_narrow_and_an_empty_list_of_states_finds_nothing(people: People) -> None:
    proposed = await people.deployment.propose()
    active = await people.deployment.activate()
    query = "query ($filter: ContractFilter) { contracts(filter: $filter) { nodes { id } } }"

    async def found(state: list[str] | None) -> set[str]:
        data = await people.client.ask(query, {"filter": {"state": state}})
        return {node["id"] for node in data["contracts"]["nodes"]}

    assert await found(["ACTIVE"]) == {active.id}
    assert await found(["ACTIVE", "PROPOSED"]) == await found(None) == {active.id, proposed.id}
    assert await found([]) == set()


@pytest.mark.parametrize("first", [1, 2, 3, 100])
async def test_milestones_come_in_the_order_of_plans_and_each_once(people: People, first: int) -> None:
    deals = [await people.deployment.propose("1.00", "2.00", "3.00") for _ in range(3)]
    expected = [
        identifier
        for deal in sorted(deals, key=lambda deal: deal.id, reverse=True)
        for identifier in deal.milestone_ids
    ]
    for caller in (people.client, people.operator):
        found = await _pages(caller, _list("milestones", "id contractId position"), "milestones", first=first)
        assert [node["id"] for node in found] == expected
    one = f', filter: {{contractId: "{deals[0].id}", state: [PLANNED]}}'
    found = await _pages(people.client, _list("milestones", "id", one), "milestones", first=first)
    assert [node["id"] for node in found] == deals[0].milestone_ids


@pytest.mark.parametrize("first", [1, 2, 100])
@pytest.mark.parametrize("order", ["OLDEST", "RECENTLY_UPDATED", "LONGEST_UNCHANGED", "DEADLINE"])
async def test_contracts_come_in_the_order_that_is_asked_for(people: People, order: str, first: int) -> None:
    deals = [await people.deployment.propose("1.00") for _ in range(3)]
    await deals[0].accept()  # changed last, and without a clock
    listed = _list("contracts", "id", f", orderBy: {order}")
    found = [node["id"] for node in await _pages(people.client, listed, "contracts", first=first)]
    made = [deal.id for deal in deals]
    changed = [*made[1:], made[0]]
    assert found == {
        "OLDEST": made, "LONGEST_UNCHANGED": changed, "RECENTLY_UPDATED": changed[::-1], "DEADLINE": made[1:],
    }[order]  # fmt: skip


@pytest.mark.parametrize("first", [1, 2, 100])
async def test_milestones_come_in_the_order_that_is_asked_for(people: People, first: int) -> None:
    deal = await people.deployment.fund("1.00", "2.00", "3.00")
    for position, day in ((2, "2030-01-01"), (3, "2031-01-01")):
        edit = {"milestoneId": deal.milestone(position), "dueOn": day}
        await people.client.done("editMilestone", edit, "milestone { id }")
    await deal.submit()
    one, two, three = deal.milestone_ids
    for order, expected in (
        ("DUE", [two, three, one]),
        ("DUE_LAST", [one, three, two]),
        ("RECENTLY_UPDATED", [one, three, two]),
        ("LONGEST_UNCHANGED", [two, three, one]),
        ("DEADLINE", [one]),
    ):
        listed = _list("milestones", "id", f", orderBy: {order}")
        for caller in (people.client, people.freelancer):
            found = [node["id"] for node in await _pages(caller, listed, "milestones", first=first)]
            assert found == expected, order


async def test_a_cursor_goes_on_in_its_own_order_alone(people: People) -> None:
    await people.deployment.propose("1.00", "2.00")
    query = (
        "{ contracts(orderBy: OLDEST) { pageInfo { endCursor } } milestones(orderBy: DUE) { pageInfo { endCursor } } }"
    )
    page = await people.client.ask(query)
    by_age, by_date = (page[name]["pageInfo"]["endCursor"] for name in ("contracts", "milestones"))
    for field, order, cursor in (
        ("contracts", "NEWEST", by_age), ("contracts", "DEADLINE", by_age), ("milestones", "PLAN", by_date),
        ("milestones", "DUE_LAST", by_date), ("milestones", "DUE", by_age), ("milestones", "DUE", "nonsense"),
    ):  # fmt: skip
        wrong = f'{{ {field}(orderBy: {order}, after: "{cursor}") {{ nodes {{ id }} }} }}'
        (error,) = await people.client.errors(wrong)
        assert error["extensions"]["code"] == "BAD_REQUEST"
    (error,) = await people.operator.errors("{ milestones(orderBy: DUE) { nodes { id } } }")
    assert "narrow the list" in error["message"]
    (error,) = await people.client.errors('{ contracts(filter: {title: "' + "x" * 201 + '"}) { nodes { id } } }')
    assert error["extensions"]["field"] == "filter.title"


async def test_titles_are_found_by_the_beginnings_of_their_words_and_follow_an_edit_and_an_erasure(
    people: People,
) -> None:
    deal = await people.deployment.activate("1.00", "2.00")

    async def found(words: str, caller: Caller = people.client) -> list[str]:
        query = "query ($words: String!) { milestones(filter: {title: $words}) { nodes { id } } }"
        return [node["id"] for node in (await caller.ask(query, {"words": words}))["milestones"]["nodes"]]

    edit = {"milestoneId": deal.milestone(1), "title": "Größe der 見出し: O'Neill\\ & Söhne"}
    await people.client.done("editMilestone", edit, "milestone { id }")
    for words in ("größ", "GRÖSSE"[:3], "見出", "o neil", "söhne der", "o'neill"):
        assert await found(words) == [deal.milestone(1)], words
        assert await found(words, people.freelancer) == await found(words, people.operator) == [deal.milestone(1)]
        assert await found(words, await people.stranger()) == []
    for words in ("", " ", "ße", "' | '", ":*", "milestone 1", "\\"):
        assert await found(words) == [], words
    assert await found("milestone 2") == [deal.milestone(2)]
    await erase(deal.id)
    assert await found("größ") == await found("mile") == []


@pytest.mark.parametrize("first", [1, 2, 100])
async def test_what_lies_beside_a_contract_comes_in_the_order_of_its_making(people: People, first: int) -> None:
    deal = await people.deployment.fund("10.00", "20.00")
    for _ in range(3):
        await deal.submit()
        await deal.request_changes()
    await deal.submit()
    await deal.approve()
    await deal.confirm(await deal.fund(2))
    types = await deal.types()
    for field, nodes in (
        ("timeline", "sequence type"),
        ("transfers", "id"),
        ("deposits", "id"),
        ("paymentOrders", "id"),
        ("submissions", "id number"),
    ):
        query = _list("X", nodes).replace(" { X(", f' {{ contract(id: "{deal.id}") {{ {field}(') + " }"
        found = await _pages(people.client, query, "contract", field, first=first)
        values = [next(iter(node.values())) for node in found]
        assert values == sorted(set(values))
        if field == "timeline":
            assert [node["type"] for node in found] == types
    query = _list("X", "number").replace(" { X(", f' {{ milestone(id: "{deal.milestone()}") {{ submissions(') + " }"
    found = await _pages(people.client, query, "milestone", "submissions", first=first)
    assert [node["number"] for node in found] == [1, 2, 3, 4]


async def test_pages_of_many_parents_stay_apart(people: People) -> None:
    deals = [await people.deployment.propose(*["1.00"] * number) for number in (1, 2, 3)]
    data = await people.client.ask(
        "{ contracts { nodes { id timeline(first: 3) { nodes { stream sequence } pageInfo { hasNextPage } } } } }"
    )
    by_id = {node["id"]: node["timeline"] for node in data["contracts"]["nodes"]}
    for deal, events in zip(deals, (2, 3, 4), strict=True):
        timeline = by_id[deal.id]
        assert timeline["nodes"] == [{"stream": deal.id, "sequence": n} for n in range(1, min(events, 3) + 1)]
        assert timeline["pageInfo"]["hasNextPage"] is (events > 3)


async def test_nodes_answers_every_kind_in_order_and_hides_what_is_not_ones_own(people: People) -> None:
    deal = await people.deployment.fund("10.00")
    await deal.submit()
    data = await people.client.ask(
        """query ($id: ID!) { contract(id: $id) { id milestones { id submissions { nodes { id } } }
            timeline { nodes { id } } transfers { nodes { id } } deposits { nodes { id order { id } } } }
            viewer { accountId keyId account { timeline { nodes { id } } } } }""",
        {"id": deal.id},
    )
    contract, viewer = data["contract"], data["viewer"]
    shared = [
        contract["id"],
        contract["milestones"][0]["id"],
        contract["milestones"][0]["submissions"]["nodes"][0]["id"],
        contract["timeline"]["nodes"][0]["id"],
        contract["transfers"]["nodes"][0]["id"],
        contract["deposits"]["nodes"][0]["id"],
        contract["deposits"]["nodes"][0]["order"]["id"],
        viewer["accountId"],
    ]
    own = [viewer["keyId"], viewer["account"]["timeline"]["nodes"][0]["id"]]
    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"

    async def seen(caller: Caller, identifiers: list[str]) -> list[str | None]:
        found = (await caller.ask(query, {"ids": identifiers}))["nodes"]
        return [node and node["id"] for node in found]

    assert await seen(people.client, [*shared, *own, "x"]) == [*shared, *own, None]
    assert await seen(people.freelancer, [*shared, *own]) == [*shared, None, None]
    assert await seen(await people.stranger(), [*shared, *own]) == [None] * (len(shared) + len(own))
    assert await seen(people.operator, [*shared, *own]) == [*shared, *own]
