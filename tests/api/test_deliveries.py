"""Deliveries as their owner sees them: lists by every filter, attempts, timelines, and what they cost in statements."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from escrow import database, ids
from escrow.access import Scope
from escrow.ids import Kind
from escrow.queries import counts
from schema.error_codes import coded
from tests.api.client import PARTY_SCOPES, Caller, People, with_key
from tests.factories import Deal, MadeEndpoint, make_endpoint
from tests.patience import PATIENCE_SECONDS
from tests.webhooks.partner import (
    HANG,
    Partners,
    attempts_made,
    delivery_worker,
    fan_out_only,
    make_due,
    partners,
    settled,
)
from webhooks.owner import queries

Fits = Callable[[dict[str, Any]], bool]

SCOPES = (*PARTY_SCOPES, Scope.WEBHOOKS_MANAGE)
PLAIN = "id endpointId eventId eventType stream cursor kind state createdAt finishedAt nextAttemptAt"
ATTEMPTS = """attempts(first: 10) { nodes {
    id deliveryId trigger startedAt status error address dnsMs connectMs firstByteMs totalMs answer isLate } }"""


async def deliver_all() -> None:
    """Everything that waits is sent, and answered with 200."""
    await make_due()
    async with delivery_worker():
        await settled()


@pytest_asyncio.fixture(loop_scope="session")
async def client(people: People) -> Caller:
    """The client, with a key for webhooks."""
    return await with_key(people.client.http, people.deployment.client, people.deployment.operator, SCOPES)


@pytest_asyncio.fixture(loop_scope="session")
async def receivers() -> AsyncIterator[Partners]:
    """Whoever listens."""
    async with partners() as seen:
        yield seen


@pytest_asyncio.fixture(loop_scope="session")
async def endpoint(people: People, receivers: Partners) -> MadeEndpoint:
    """One of the client's, at `/hook`."""
    return await make_endpoint(
        people.deployment.client, receivers.url(), event_types=("contract.*", "milestone.*", "deposit.*")
    )


async def deal(people: People) -> Deal:
    """A contract with some events whose deliveries wait."""
    made = await people.deployment.fund("10.00", "20.00")
    await fan_out_only()
    return made


async def listed(caller: Caller, filter_: dict[str, Any] | None = None, *, first: int = 100) -> list[dict[str, Any]]:
    data = await caller.ask(
        "query ($filter: DeliveryFilter, $first: Int!) "
        f"{{ deliveries(filter: $filter, first: $first) {{ nodes {{ {PLAIN} }} }} }}",
        {"filter": filter_, "first": first},
    )
    nodes: list[dict[str, Any]] = data["deliveries"]["nodes"]
    return nodes


async def test_deliveries_are_listed_newest_first_with_what_they_deliver(
    people: People, client: Caller, endpoint: MadeEndpoint
) -> None:
    contract = await deal(people)
    events = [row["id"] for row in await database.fetch("SELECT id FROM events WHERE stream_id = $1", contract.id)]
    found = await listed(client)
    assert [one["id"] for one in found] == sorted((one["id"] for one in found), reverse=True)
    assert {one["eventId"] for one in found} == set(events)
    assert {one["endpointId"] for one in found} == {endpoint.id}
    assert {(one["kind"], one["state"], one["stream"]) for one in found} == {("EVENT", "PENDING", contract.id)}
    assert sorted(one["cursor"] for one in found) == [one["cursor"] for one in reversed(found)]
    waiting = [one for one in found if one["nextAttemptAt"] is not None]
    assert [one["id"] for one in waiting] == [found[-1]["id"]]  # the others wait behind the first
    await deliver_all()
    assert {(one["state"], one["nextAttemptAt"]) for one in await listed(client)} == {("DELIVERED", None)}
    assert all(one["finishedAt"] is not None for one in await listed(client))


async def test_attempts_say_all_that_is_known_of_them(
    people: People, client: Caller, endpoint: MadeEndpoint, receivers: Partners
) -> None:
    contract = await people.deployment.propose("10.00")
    await fan_out_only()
    first, *_ = reversed(await listed(client, {"contractId": contract.id}))
    receivers.replies["/hook"] = 503
    async with delivery_worker(request_seconds=PATIENCE_SECONDS, lease_seconds=2 * PATIENCE_SECONDS):
        await attempts_made(1)
    receivers.replies["/hook"] = HANG
    await make_due()
    async with delivery_worker(request_seconds=1.0):
        await attempts_made(2)
    receivers.replies["/hook"] = 200
    await deliver_all()
    data = await client.ask(f'{{ node(id: "{first["id"]}") {{ ... on Delivery {{ {PLAIN} {ATTEMPTS} }} }} }}')
    failed, hung, done = data["node"]["attempts"]["nodes"]
    assert (failed["trigger"], failed["status"], failed["error"], failed["answer"]) == ("EVENT", 503, None, "ok")
    assert (failed["address"], failed["deliveryId"], failed["isLate"]) == ("127.0.0.1", first["id"], False)
    assert 0 < failed["connectMs"] <= failed["firstByteMs"] <= failed["totalMs"]
    assert failed["dnsMs"] is None  # it is an address
    assert (hung["trigger"], hung["status"], hung["error"], hung["answer"]) == ("RETRY", None, "TIMEOUT", "")
    assert (done["trigger"], done["status"], done["error"]) == ("RETRY", 200, None)
    assert failed["startedAt"] < hung["startedAt"] < done["startedAt"]
    assert data["node"]["state"] == "DELIVERED"
    pages = "attempts(first: 2, after: %s) { nodes { id } pageInfo { hasNextPage endCursor } }"
    query = f'{{ node(id: "{first["id"]}") {{ ... on Delivery {{ {pages} }} }} }}'
    page = (await client.ask(query % "null"))["node"]["attempts"]
    assert ([one["id"] for one in page["nodes"]], page["pageInfo"]["hasNextPage"]) == ([failed["id"], hung["id"]], True)
    rest = (await client.ask(query % f'"{page["pageInfo"]["endCursor"]}"'))["node"]["attempts"]
    assert ([one["id"] for one in rest["nodes"]], rest["pageInfo"]["hasNextPage"]) == ([done["id"]], False)


async def test_an_answer_that_is_no_text_is_shown_as_far_as_it_is_one(
    people: People, client: Caller, endpoint: MadeEndpoint
) -> None:
    await deal(people)
    await deliver_all()
    delivery = (await listed(client, first=1))[0]["id"]
    await database.execute("UPDATE delivery_attempts SET excerpt = $2 WHERE delivery_id = $1", delivery, b"a\xff\x00b")
    data = await client.ask(f'{{ node(id: "{delivery}") {{ ... on Delivery {{ {ATTEMPTS} }} }} }}')
    assert data["node"]["attempts"]["nodes"][0]["answer"] == "a\ufffd\x00b"


async def test_each_filter_narrows(people: People, client: Caller, endpoint: MadeEndpoint, receivers: Partners) -> None:
    other = await make_endpoint(people.deployment.client, receivers.url("/other"), event_types=("milestone.funded",))
    first = await deal(people)
    await deliver_all()
    second = await deal(people)
    everything = await listed(client)
    assert {one["endpointId"] for one in everything} == {endpoint.id, other.id}
    middle = everything[len(everything) // 2]
    cases: list[tuple[dict[str, Any], Fits]] = [
        ({"endpointId": other.id}, lambda one: one["endpointId"] == other.id),
        ({"state": ["DELIVERED"]}, lambda one: one["state"] == "DELIVERED"),
        ({"state": ["DELIVERED", "PENDING"]}, lambda _: True),
        ({"state": []}, lambda _: False),
        ({"eventType": ["milestone.funded"]}, lambda one: one["eventType"] == "milestone.funded"),
        ({"eventId": middle["eventId"]}, lambda one: one["eventId"] == middle["eventId"]),
        ({"contractId": second.id}, lambda one: one["stream"] == second.id),
        (
            {"contractId": first.id, "eventType": ["milestone.funded"], "endpointId": other.id},
            lambda one: (one["stream"], one["endpointId"]) == (first.id, other.id),
        ),
        ({"createdAfter": middle["createdAt"]}, lambda one: one["createdAt"] >= middle["createdAt"]),
        ({"createdBefore": middle["createdAt"]}, lambda one: one["createdAt"] < middle["createdAt"]),
        ({"eventId": middle["eventId"], "contractId": ids.new(Kind.CONTRACT)}, lambda _: False),
        ({"endpointId": ids.new(Kind.ENDPOINT)}, lambda _: False),
        ({"endpointId": "nonsense"}, lambda _: False),
    ]
    for given, fits in cases:
        assert await listed(client, given) == [one for one in everything if fits(one)], given
        assert await listed(client, given, first=1) == [one for one in everything if fits(one)][:1], given


async def test_pages_are_turned_without_a_gap_or_a_double(
    people: People, client: Caller, endpoint: MadeEndpoint
) -> None:
    await make_endpoint(people.deployment.client)
    await deal(people)
    whole = await listed(client)
    assert len(whole) > 10
    for given in (None, {"state": ["PENDING"]}, {"contractId": whole[0]["stream"]}):
        found: list[str] = []
        after = None
        while True:
            data = await client.ask(
                "query ($filter: DeliveryFilter, $after: Cursor) { deliveries(filter: $filter, first: 3, after: $after) "
                "{ nodes { id } pageInfo { hasNextPage hasPreviousPage endCursor } } }",
                {"filter": given, "after": after},
            )
            page = data["deliveries"]
            assert page["pageInfo"]["hasPreviousPage"] == (after is not None)
            found += [one["id"] for one in page["nodes"]]
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                break
            assert len(page["nodes"]) == 3
        assert found == [one["id"] for one in whole]


@pytest.mark.parametrize("from_end", [False, True])
async def test_what_is_rare_is_found_by_turning_pages(
    people: People, client: Caller, endpoint: MadeEndpoint, monkeypatch: pytest.MonkeyPatch, from_end: bool
) -> None:
    """A page looks at so many deliveries of each endpoint, and says where the next one goes on."""
    await make_endpoint(people.deployment.client)
    for _ in range(3):
        await deal(people)
    whole = await listed(client)
    rare = [one["id"] for one in whole if one["eventType"] == "contract.proposed"]
    monkeypatch.setattr("webhooks.owner.queries.deliveries.SCANNED_MAX", 4)
    size, place, further, end, behind = (
        ("last", "before", "hasPreviousPage", "startCursor", "hasNextPage")
        if from_end
        else ("first", "after", "hasNextPage", "endCursor", "hasPreviousPage")
    )
    found: list[str] = []
    after, pages = None, 0
    while True:
        data = await client.ask(
            f'query ($at: Cursor) {{ deliveries(filter: {{eventType: ["contract.proposed"]}}, {size}: 2, {place}: $at) '
            f"{{ nodes {{ id }} pageInfo {{ {further} {behind} {end} }} }} }}",
            {"at": after},
        )
        page, pages = data["deliveries"], pages + 1
        nodes = [one["id"] for one in page["nodes"]]
        found = nodes + found if from_end else found + nodes
        assert len(nodes) <= 2
        assert page["pageInfo"][behind] is (after is not None)
        if not page["pageInfo"][further]:
            break
        assert page["pageInfo"][end] != after
        after = page["pageInfo"][end]
    assert found == rare
    assert len(rare) == 6
    assert pages > 4


async def test_what_is_rare_is_counted_as_far_as_a_page_looks(
    people: People, client: Caller, endpoint: MadeEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await make_endpoint(people.deployment.client)
    for _ in range(3):
        await deal(people)
    whole = await listed(client)
    looked = 2 * 12  # of each of the two endpoints
    of_each = [[one for one in whole if one["endpointId"] == id_][: looked // 2] for id_ in (endpoint.id, other.id)]
    near = sum(one["eventType"] == "contract.proposed" for found in of_each for one in found)
    assert 0 < near < 6

    async def counted(given: str) -> tuple[int, bool]:
        page = await client.ask(f"{{ deliveries(filter: {given}) {{ totalCount hasMoreThanTotalCount }} }}")
        return page["deliveries"]["totalCount"], page["deliveries"]["hasMoreThanTotalCount"]

    rare = '{eventType: ["contract.proposed"]}'
    assert await counted(rare) == (6, False)
    monkeypatch.setattr("webhooks.owner.queries.deliveries.SCANNED_MAX", looked)
    assert await counted(rare) == (near, True), "there may be more"
    assert await counted("{}") == (len(whole), False), "where all fit all are counted"
    assert await counted(f'{{contractId: "{whole[0]["stream"]}", eventType: ["contract.proposed"]}}') == (2, False)
    monkeypatch.setattr("escrow.queries.counts.COUNTED_MAX", 5)
    assert await counted("{}") == (5, True)
    assert await counted(f'{{contractId: "{whole[0]["stream"]}"}}') == (5, True)


async def test_a_timeline_shows_where_each_event_went_of_ones_own_endpoints_alone(
    people: People, client: Caller, endpoint: MadeEndpoint, receivers: Partners
) -> None:
    theirs = await make_endpoint(people.deployment.freelancer, receivers.url("/theirs"))
    await make_endpoint(people.deployment.operator, receivers.url("/operator"))
    contract = await deal(people)
    await deliver_all()
    delivered_to = (
        "deliveries(first: 5) { nodes { endpointId eventType state attempts(first: 1) { nodes { status } } } }"
    )
    query = f'{{ contract(id: "{contract.id}") {{ timeline(first: 50) {{ nodes {{ type {delivered_to} }} }} }} }}'
    freelancer = await with_key(client.http, people.deployment.freelancer, people.deployment.operator, SCOPES)
    for caller, own, families in [
        (client, endpoint.id, {"contract", "milestone", "deposit"}),
        (freelancer, theirs.id, {"contract", "milestone", "deposit", "bonus", "payout"}),
    ]:
        events = (await caller.ask(query))["contract"]["timeline"]["nodes"]
        assert events
        for event in events:
            delivered = {
                "endpointId": own,
                "eventType": event["type"],
                "state": "DELIVERED",
                "attempts": {"nodes": [{"status": 200}]},
            }
            assert event["deliveries"]["nodes"] == ([delivered] if event["type"].partition(".")[0] in families else [])


async def test_deliveries_and_attempts_are_nodes_for_whoever_may_see_them(
    people: People, client: Caller, endpoint: MadeEndpoint
) -> None:
    contract = await deal(people)
    await deliver_all()
    another = await people.deployment.propose("1.00")
    delivery = (await listed(client, {"state": ["DELIVERED"]}))[0]["id"]
    attempt_id = await database.fetch_value("SELECT id FROM delivery_attempts WHERE delivery_id = $1", delivery)
    query = f'{{ nodes(ids: ["{delivery}", "{attempt_id}"]) {{ __typename id }} }}'
    both = [{"__typename": "Delivery", "id": delivery}, {"__typename": "DeliveryAttempt", "id": attempt_id}]
    assert (await client.ask(query))["nodes"] == both
    http, operator = client.http, people.deployment.operator
    everything = await with_key(http, operator, operator, (Scope.OPERATOR, *SCOPES))
    assert (await everything.ask(query))["nodes"] == both
    for other in (
        await with_key(http, people.deployment.freelancer, operator, SCOPES),
        await people.stranger(scopes=SCOPES),
        await with_key(http, people.deployment.client, operator, SCOPES, contract_ids=(another.id,)),
    ):
        assert (await other.ask(query))["nodes"] == [None, None]
        assert await listed(other) == []
        assert await listed(other, {"endpointId": endpoint.id}) == []
        assert await listed(other, {"contractId": contract.id}) == []
    limited = await with_key(http, people.deployment.client, operator, SCOPES, contract_ids=(contract.id,))
    assert (await limited.ask(query))["nodes"] == both


async def test_the_operator_sees_its_own_and_those_of_an_endpoint_that_it_names(
    people: People, client: Caller, endpoint: MadeEndpoint
) -> None:
    operator = await with_key(
        client.http, people.deployment.operator, people.deployment.operator, (Scope.OPERATOR, *SCOPES)
    )
    await deal(people)
    assert await listed(operator) == []
    assert await listed(operator, {"endpointId": endpoint.id}) == await listed(client)


async def test_looking_needs_the_scope(people: People, endpoint: MadeEndpoint) -> None:
    contract = await deal(people)
    for query in (
        "{ deliveries { nodes { id } } }",
        f'{{ node(id: "{ids.new(Kind.DELIVERY)}") {{ id }} }}',
        f'{{ contract(id: "{contract.id}") {{ timeline(first: 1) {{ nodes {{ deliveries {{ nodes {{ id }} }} }} }} }} }}',
    ):
        (error, *_) = await people.client.errors(query)
        assert error["extensions"] == coded("FORBIDDEN", scope="webhooks:manage")
        (error, *_) = await people.nobody.errors(query)
        assert error["extensions"]["code"] == "UNAUTHENTICATED"


async def test_a_list_costs_one_statement_for_each_kind_of_thing_in_it(
    people: People, client: Caller, endpoint: MadeEndpoint
) -> None:
    contract = await deal(people)
    await deliver_all()
    page = f"deliveries(filter: %s, first: 50) {{ nodes {{ {PLAIN} %s }} pageInfo {{ hasNextPage }} }}"
    nested = f"{ATTEMPTS} event {{ id type }}"
    for filter_ in ("{}", "{state: DELIVERED}", f'{{contractId: "{contract.id}"}}'):
        with database.counting() as statements:
            await client.ask("{ " + page % (filter_, "") + " }")
        assert len(statements) == 2  # the key, the list
        with database.counting() as statements:
            await client.ask("{ " + page % (filter_, nested) + " }")
        assert len(statements) == 4  # and attempts, events
    timeline = f"timeline(first: 50) {{ nodes {{ id deliveries(first: 5) {{ nodes {{ id {ATTEMPTS} }} }} }} }}"
    with database.counting() as statements:
        await client.ask(f'{{ contract(id: "{contract.id}") {{ {timeline} }} }}')
    assert len(statements) == 5  # the key, the contract, its events, their deliveries, the attempts at those


async def test_a_cursor_of_another_list_is_refused(client: Caller) -> None:
    contracts = await client.ask("{ contracts(first: 1) { pageInfo { endCursor } } }")
    assert contracts["contracts"]["pageInfo"]["endCursor"] is None
    (error,) = await client.errors('{ deliveries(after: "bm9uc2Vuc2U") { nodes { id } } }')
    assert error["extensions"]["code"] == "BAD_REQUEST"


async def test_times_far_away_are_no_trouble(people: People, client: Caller, endpoint: MadeEndpoint) -> None:
    await deal(people)
    whole = await listed(client)
    far = {"createdAfter": "0001-01-01T00:00:00Z", "createdBefore": "9999-12-31T23:59:59Z"}
    assert await listed(client, far) == whole
    assert await listed(client, {"createdBefore": "0001-01-01T00:00:00Z"}) == []
    assert await listed(client, {"createdAfter": (datetime.now(UTC) + timedelta(days=1)).isoformat()}) == []


async def test_pages_and_counts_are_read_through_the_keys(
    untouched_database: str, people: People, client: Caller, endpoint: MadeEndpoint
) -> None:
    """However many deliveries there are, nobody reads them all."""
    await deal(people)
    await database.execute(
        "INSERT INTO deliveries (id, endpoint_id, lane, position, event_id, event_type, stream_id, state, finished_at) "
        "SELECT 'dlv_0' || lpad(n::text, 25, '0'), $1, 'ctr_' || n % 1000, n, 'evt_' || n, 'milestone.added', "
        "'ctr_' || n % 1000, 'DELIVERED', clock_timestamp() FROM generate_series(1, 60000) AS n",
        endpoint.id,
    )
    await database.execute("ANALYZE deliveries")
    for filter_, is_counted, read_most in (
        ("{}", False, 100),
        ("{state: FAILED}", False, queries.SCANNED_MAX + 100),
        ("{}", True, counts.COUNTED_MAX + 200),
        ("{state: FAILED}", True, 2 * queries.SCANNED_MAX + 100),
    ):
        for end in ("first", "last"):
            page, read = await _page_and_rows_read(client, f"filter: {filter_}, {end}: 10", is_counted=is_counted)
            assert page["pageInfo"] == {"hasNextPage": end == "first", "hasPreviousPage": end == "last"}
            assert page.get("hasMoreThanTotalCount", True)
            assert len(page["nodes"]) <= read <= read_most, (filter_, is_counted, end)


async def _page_and_rows_read(client: Caller, asked: str, *, is_counted: bool) -> tuple[dict[str, Any], int]:
    """Through one connection, which counts what it reads, whatever others do and whenever they tell."""
    counted = "totalCount hasMoreThanTotalCount" if is_counted else ""
    async with database.transaction():
        before = await _rows_read()
        data = await client.ask(
            f"{{ deliveries({asked}) {{ nodes {{ id }} pageInfo {{ hasNextPage hasPreviousPage }} {counted} }} }}"
        )
        return data["deliveries"], await _rows_read() - before


async def _rows_read() -> int:
    read: int = await database.fetch_value(
        "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'deliveries'"
    )
    return read
