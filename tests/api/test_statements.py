"""What answers cost in statements, whatever the page size: numbers that don't depend on the machine."""

from __future__ import annotations

import pytest

from escrow import database, log
from escrow.accounts.known_keys import KnownKeys
from escrow.agreement.commands import AddChange, OfferSettlement
from escrow.pipeline import run
from tests.api.client import Caller, People, door
from tests.api.test_journey import proposal
from tests.factories import Deal, draft, usd

PLAIN = "id state title currency budget { amount } turn windows { reviewHours } fees { clientBasisPoints } planVersion version"
ACTIONS = "allowedActions { action allowed reason { code message } }"
KINDS = {
    "milestones": "milestones { id title amount { amount } }",
    "allowedActions": ACTIONS,
    "nextDeadline": "nextDeadline { at action inFavourOf }",
    "progress": "progress { total closed }",
    "currentMilestone": "currentMilestone { id }",
    "parties": "client { id name } freelancer { id name }",
    "escrow": "escrow { held { amount } payable { freelancer { amount } } }",
    "submissions": "submissions(first: 10) { nodes { id } }",
    "timeline": "timeline(first: 10) { nodes { id type texts { value } } pageInfo { hasNextPage } }",
    "transfers": "transfers(first: 10) { nodes { id amount { amount } } }",
    "deposits": "deposits(first: 10) { nodes { id } }",
    "paymentOrders": "paymentOrders(first: 10) { nodes { id } }",
    "changeRequests": "changeRequests(first: 4) { nodes { id changes { kind } } }",
    "refundRequests": "refundRequests(first: 4) { nodes { id amount { amount } } }",
    "disputes": "disputes(first: 4) { nodes { id claim { amount } } }",
    "updates": "updates(first: 4) { nodes { number message attachments { name } } }",
}


async def _statements(people: People, query: str) -> list[str]:
    with database.counting() as statements:
        await people.client.ask(query)
    return statements


@pytest.fixture(params=[1, 50])
async def page(request: pytest.FixtureRequest, people: People) -> int:
    """A page size, and as many contracts, of which every other one is at work."""
    size: int = request.param
    for number in range(size):
        await (people.deployment.fund("10.00", "20.00") if number % 2 else people.deployment.propose())
    return size


async def test_a_list_costs_one_statement_for_itself_and_one_for_each_kind_of_nested_field(
    people: People, page: int
) -> None:
    query = f"{{ contracts(first: {page}) {{ nodes {{ {PLAIN} %s }} pageInfo {{ hasNextPage }} }} }}"
    assert len(await _statements(people, query % "")) == 2  # the key, the list
    for kind, selection in KINDS.items():
        assert len(await _statements(people, query % selection)) == 3, kind
    main = f"milestones {{ id title amount {{ amount }} {ACTIONS} nextDeadline {{ at }} }} {ACTIONS} nextDeadline {{ at action }}"
    assert len(await _statements(people, query % main)) == 4
    # Plan, standing, escrow, parties, submissions, timeline, transfers, deposits, orders, changes, refunds, disputes, updates.
    assert len(await _statements(people, query % " ".join(KINDS.values()))) == 2 + 13


DEEPER = {
    "evidence": "disputes(first: 2) { nodes { evidence(first: 2) { nodes { text } } } }",
    "a dispute's milestone and its offers": "disputes(first: 2) { nodes { milestone { title } offers { side } } }",
    "a request's milestone": "refundRequests(first: 2) { nodes { milestone { title } } }",
    "what may be done": f"disputes(first: 2) {{ nodes {{ {ACTIONS} nextDeadline {{ at }} }} }}",
    "plans before and after": "changeRequests(first: 2) { nodes { planBefore { title } planAfter { title } } }",
}


async def test_what_people_disagree_about_costs_one_statement_for_each_kind_too(people: People, page: int) -> None:
    there = people.deployment
    for row in await database.fetch("SELECT contract_id, id FROM milestones WHERE state = 'ACTIVE'"):
        deal = Deal(id=row["contract_id"], client=there.client, freelancer=there.freelancer, milestone_ids=[row["id"]])
        dispute_id = await deal.decline_refund(await deal.request_refund())
        await run(deal.evidence(dispute_id), by=deal.client)
        await run(OfferSettlement(dispute_id=dispute_id, to_freelancer=usd("1.00")), by=deal.client)
        await deal.file(AddChange(milestone=draft("More")))
    query = f"{{ contracts(first: {page}) {{ nodes {{ id %s }} }} }}"
    for kind, selection in DEEPER.items():
        # A page of one shows the newest contract, which was only proposed.
        assert len(await _statements(people, query % selection)) == (4 if page > 1 else 3), kind


async def test_milestones_cost_the_same_way(people: People, page: int) -> None:
    query = f"{{ milestones(first: {page}) {{ nodes {{ id title %s }} }} }}"
    assert len(await _statements(people, query % "")) == 2
    for selection in (
        ACTIONS,
        "nextDeadline { at }",
        "submissions { nodes { id } }",
        "deposit { id }",
        "contract { id }",
    ):
        assert len(await _statements(people, query % selection)) == (2 if page == 1 and "deposit" in selection else 3)


@pytest.mark.usefixtures("compiling")
async def test_one_contract_costs_one_statement_and_the_key(people: People) -> None:
    deal = await people.deployment.propose()
    query = f'{{ contract(id: "{deal.id}") {{ {PLAIN} }} }}'
    assert len(await _statements(people, query)) == 2
    plan = KINDS["milestones"]
    whole = f'{{ contract(id: "{deal.id}") {{ id title {plan} }} }}'
    assert len(await _statements(people, whole)) == 3  # graphql-core runs it
    assert len(await _statements(people, whole)) == 2  # its plan comes with it
    other = await people.deployment.propose()
    two = f'{{ one: contract(id: "{deal.id}") {{ id {plan} }} other: contract(id: "{other.id}") {{ id {plan} }} }}'
    assert [len(await _statements(people, two)) for _ in range(2)] == [3, 2]
    ambiguous = f'{{ contract(id: "{deal.id}") {{ id a: milestones {{ id }} b: milestones {{ title }} }} }}'
    assert [len(await _statements(people, ambiguous)) for _ in range(2)] == [3, 3]
    told = f'{{ contract(id: "{deal.id}") {{ id {plan} {KINDS["progress"]} {KINDS["currentMilestone"]} }} }}'
    assert [len(await _statements(people, told)) for _ in range(2)] == [3, 2]
    several = f'{{ nodes(ids: ["{deal.id}", "{deal.milestone(1)}", "{deal.milestone(2)}"]) {{ id }} }}'
    assert len(await _statements(people, several)) == 3


@pytest.mark.usefixtures("compiling")
async def test_one_contract_with_a_page_of_its_events_costs_one_statement_and_the_key(people: People) -> None:
    deal = await people.deployment.propose()
    pages = {
        "timeline(first: 10) { nodes { id type texts { value } } pageInfo { hasNextPage endCursor } }": [3, 2],
        "timeline(last: 1) { edges { cursor node { sequence data } } }": [3, 2],
        "timeline(first: 1) { totalCount nodes { id } }": [4, 3],
        "a: timeline(first: 1) { nodes { id } } b: timeline(first: 2) { nodes { id } }": [4, 4],
        "timeline(first: 1) { nodes { id cursor } }": [4, 4],
        f"timeline(first: 1) {{ nodes {{ id }} }} {KINDS['milestones']}": [4, 3],
    }
    for page, expected in pages.items():
        query = f'{{ contract(id: "{deal.id}") {{ title {page} }} }}'
        assert [len(await _statements(people, query)) for _ in range(2)] == expected, page


@pytest.mark.usefixtures("compiling")
async def test_a_page_of_changes_costs_itself_and_one_statement_for_what_they_touched(people: People) -> None:
    await people.deployment.fund("10.00", "20.00")
    await log.sequence()
    pages = {
        "cursor event { id type actor { kind } data }": [2, 2],
        "event { type } milestones { state }": [3, 3],
        "cursor milestones { state } contract { title }": [4, 4],
        "event { id cursor }": [2, 2],
        "a: event { id } b: event { type }": [2, 2],
    }
    for page, expected in pages.items():
        query = f"{{ changes(first: 10) {{ nodes {{ {page} }} hasMore }} }}"
        assert [len(await _statements(people, query)) for _ in range(2)] == expected, page


async def test_a_mutation_costs_the_key_and_its_two_round_trips_and_reads_nothing_again(people: People) -> None:
    with database.counting() as statements:
        await people.client.done(
            "proposeContract", proposal(people, "10.00", "20.00"),
            f"contract {{ {PLAIN} {KINDS['milestones']} {KINDS['progress']} {KINDS['currentMilestone']} }}", key="k",
        )  # fmt: skip
    assert len(statements) == 3


async def test_a_key_in_use_costs_nothing(people: People) -> None:
    deal = await people.deployment.propose()
    query = f'{{ contract(id: "{deal.id}") {{ {PLAIN} }} }}'
    async with door(keys=KnownKeys(term_seconds=3_600.0)) as http:
        caller = Caller(http, people.client.token)
        for expected in (2, 1, 1):
            with database.counting() as statements:
                await caller.ask(query)
            assert len(statements) == expected


async def test_many_mutations_look_at_what_is_remembered_of_the_key(people: People) -> None:
    each = "proposeContract(input: $offer) { contract { id } userErrors { code } }"
    query = f"mutation ($offer: ProposeContractInput!) {{ one: {each} two: {each} three: {each} }}"
    async with door(keys=KnownKeys(term_seconds=3_600.0)) as http:
        for expected in (7, 6):
            with database.counting() as statements:
                await Caller(http, people.client.token).ask(query, {"offer": proposal(people, "10.00")})
            assert len(statements) == expected


async def test_introspection_without_credentials_costs_nothing(people: People) -> None:
    with database.counting() as statements:
        await people.nobody.ask("{ __schema { types { name } } }")
    assert statements == []
