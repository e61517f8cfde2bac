"""What an owner asks for: a delivery once more, a stretch of the log once more, a test. Refusals leave nothing behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from standardwebhooks import Webhook

from escrow import acts, database, ids, pipeline
from escrow.access import Role, Scope
from escrow.accounts import commands
from escrow.ids import Kind
from tests.api.client import PARTY_SCOPES, Caller, People, with_key
from tests.factories import Deal, MadeEndpoint, advance_clock, make_endpoint
from tests.webhooks.partner import Partners, delivery_worker, fan_out_only, partners, settled
from tests.workers.process import until
from webhooks.owner import replays

SCOPES = (*PARTY_SCOPES, Scope.WEBHOOKS_MANAGE)
DELIVERY = "delivery { id endpointId eventId eventType kind state cursor stream }"
REPLAY = "replay { id endpointId after until lookedUntil deliveries isOver }"


@pytest_asyncio.fixture(loop_scope="session")
async def client(people: People) -> Caller:
    return await with_key(people.client.http, people.deployment.client, people.deployment.operator, SCOPES)


@pytest_asyncio.fixture(loop_scope="session")
async def receivers() -> AsyncIterator[Partners]:
    async with partners() as seen:
        yield seen


@pytest_asyncio.fixture(loop_scope="session")
async def endpoint(people: People, receivers: Partners) -> MadeEndpoint:
    made = await make_endpoint(people.deployment.client, receivers.url(), event_types=("contract.*", "milestone.*"))
    await fan_out_only()
    return made


async def delivered(people: People) -> Deal:
    """A contract whose events were all delivered."""
    deal = await people.deployment.fund("10.00")
    async with delivery_worker() as work:
        await work.fan_out()
        await settled()
    return deal


async def newest(caller: Caller) -> dict[str, Any]:
    data = await caller.ask("{ deliveries(first: 1) { nodes { id eventId } } }")
    found: dict[str, Any] = data["deliveries"]["nodes"][0]
    return found


async def rows() -> tuple[int, int, int]:
    counts = await database.fetch_row(
        "SELECT (SELECT count(*) FROM deliveries) AS d, (SELECT count(*) FROM replays) AS r, "
        "(SELECT count(*) FROM idempotency_keys) AS k"
    )
    assert counts is not None
    return counts["d"], counts["r"], counts["k"]


async def send_what_waits() -> None:
    async with delivery_worker():
        await settled()


async def test_a_delivery_is_made_once_more_with_the_same_id_and_body(
    people: People, client: Caller, endpoint: MadeEndpoint, receivers: Partners
) -> None:
    await delivered(people)
    first = await newest(client)
    payload = await client.done("redeliver", {"deliveryId": first["id"]}, DELIVERY)
    again = payload["delivery"]
    assert (again["kind"], again["state"], again["eventId"]) == ("REDELIVERY", "PENDING", first["eventId"])
    assert again["id"] != first["id"]
    await send_what_waits()
    before, after = [arrival for arrival in receivers.arrivals if arrival.event_id == first["eventId"]]
    assert (before.body["data"]["replay"], after.body["data"]["replay"]) == (False, True)
    assert before.body["data"]["event"] == after.body["data"]["event"]
    Webhook(endpoint.secret).verify(after.raw, after.headers)


async def test_one_that_waits_is_due_at_once_and_stays_one(
    people: People, client: Caller, endpoint: MadeEndpoint, receivers: Partners
) -> None:
    await people.deployment.propose("10.00")
    await fan_out_only()
    await database.execute("UPDATE lanes SET due_at = clock_timestamp() + interval '1 day'")
    first = await newest(client)
    payload = await client.done("redeliver", {"deliveryId": first["id"]}, DELIVERY)
    assert payload["delivery"]["id"] == first["id"]
    await send_what_waits()
    assert first["eventId"] in receivers.accepted()


async def test_a_stretch_of_the_log_is_replayed_in_order_and_marked(
    people: People, client: Caller, endpoint: MadeEndpoint, receivers: Partners
) -> None:
    await delivered(people)
    whole = list(receivers.arrivals)
    start = whole[2]
    receivers.arrivals.clear()
    payload = await client.done("replayEvents", {"endpointId": endpoint.id, "after": start.position}, REPLAY)
    made = payload["replay"]
    assert (made["endpointId"], made["after"], made["deliveries"], made["isOver"]) == (
        endpoint.id,
        start.position,
        0,
        False,
    )
    async with delivery_worker():

        async def is_over() -> bool:
            return bool(await database.fetch_value("SELECT due_at IS NULL FROM replays WHERE id = $1", made["id"]))

        await until(is_over)
        await settled()
    fields = "... on WebhookReplay { lookedUntil until deliveries isOver }"
    found = await client.ask(f'{{ node(id: "{made["id"]}") {{ {fields} }} }}')
    assert found["node"]["isOver"]
    assert found["node"]["lookedUntil"] == found["node"]["until"]
    assert found["node"]["deliveries"] == len(whole) - 3
    assert [arrival.event_id for arrival in receivers.arrivals] == [arrival.event_id for arrival in whole[3:]]
    assert all(arrival.body["data"]["replay"] for arrival in receivers.arrivals)


async def test_a_replay_begins_at_a_time(people: People, client: Caller, endpoint: MadeEndpoint) -> None:
    await delivered(people)
    await advance_clock(days=1)
    since = await database.fetch_value("SELECT clock_timestamp() + clock_offset FROM deployment")
    deal = await people.deployment.propose("10.00")
    await fan_out_only()
    payload = await client.done("replayEvents", {"endpointId": endpoint.id, "since": since.isoformat()}, REPLAY)
    first = await database.fetch_value(
        "SELECT min(place.position) FROM log_positions AS place JOIN events AS event ON event.id = place.event_id "
        "WHERE event.stream_id = $1",
        deal.id,
    )
    after = await database.fetch_value("SELECT after_position FROM replays WHERE id = $1", payload["replay"]["id"])
    assert after == first - 1


@pytest.mark.parametrize("kind", ["endpoint.test", "contract.proposed", "payout.paid"])
async def test_a_test_of_any_type_is_sent_signed_and_marked(
    people: People, client: Caller, endpoint: MadeEndpoint, receivers: Partners, kind: str
) -> None:
    payload = await client.done("sendTestEvent", {"endpointId": endpoint.id, "eventType": kind}, DELIVERY)
    made = payload["delivery"]
    assert (made["kind"], made["eventType"], made["cursor"]) == ("TEST", kind, None)
    await send_what_waits()
    (arrival,) = receivers.arrivals
    Webhook(endpoint.secret).verify(arrival.raw, arrival.headers)
    assert arrival.body["data"]["test"] is True
    assert arrival.body["data"]["cursor"] is None
    assert arrival.headers["webhook-id"] == made["eventId"]
    assert await database.fetch_value("SELECT count(*) FROM events WHERE id = $1", made["eventId"]) == 0
    again = await client.done("redeliver", {"deliveryId": made["id"]}, DELIVERY)
    assert (again["delivery"]["kind"], again["delivery"]["eventId"]) == ("TEST", made["eventId"])


async def test_a_test_needs_no_type(client: Caller, endpoint: MadeEndpoint) -> None:
    payload = await client.done("sendTestEvent", {"endpointId": endpoint.id}, DELIVERY)
    assert payload["delivery"]["eventType"] == "endpoint.test"


async def test_what_the_operator_asks_is_noted_refused_or_not_and_what_an_owner_asks_is_not(
    people: People, client: Caller, endpoint: MadeEndpoint
) -> None:
    await client.done("sendTestEvent", {"endpointId": endpoint.id}, DELIVERY)
    known = {act.id for act in await acts.latest(1000)}
    nothing = ids.new(Kind.DELIVERY)
    await people.operator.done("sendTestEvent", {"endpointId": endpoint.id}, DELIVERY)
    await people.operator.done("replayEvents", {"endpointId": endpoint.id, "since": "2020-01-01T00:00:00Z"}, REPLAY)
    await people.operator.do("redeliver", {"deliveryId": nothing}, DELIVERY)
    noted = [(act.act, act.subject, act.code) for act in await acts.latest(1000) if act.id not in known]
    assert noted == [
        ("Redeliver", nothing, "NOT_FOUND"),
        ("ReplayEvents", endpoint.id, None),
        ("SendTestEvent", endpoint.id, None),
    ]


@pytest.mark.parametrize("mutation", ["redeliver", "replayEvents", "sendTestEvent"])
async def test_a_repetition_answers_with_what_the_first_made(
    people: People, client: Caller, endpoint: MadeEndpoint, mutation: str
) -> None:
    await delivered(people)
    given, fields = {
        "redeliver": ({"deliveryId": (await newest(client))["id"]}, "delivery { id }"),
        "replayEvents": ({"endpointId": endpoint.id, "since": "2020-01-01T00:00:00Z"}, "replay { id }"),
        "sendTestEvent": ({"endpointId": endpoint.id}, "delivery { id }"),
    }[mutation]
    before = await rows()
    first = await client.done(mutation, given, fields, key="once")
    made = await rows()
    assert sum(made) == sum(before) + 2  # what was asked for, and the key
    assert await client.done(mutation, given, fields, key="once") == first
    assert await rows() == made
    other = given | ({"deliveryId": ids.new(Kind.DELIVERY)} if mutation == "redeliver" else {"endpointId": endpoint.id})
    if mutation == "sendTestEvent":
        other["eventType"] = "contract.proposed"
    if mutation == "replayEvents":
        other["since"] = "2021-01-01T00:00:00Z"
    payload = await client.do(mutation, other, fields, key="once")
    expected = "NOT_FOUND" if mutation == "redeliver" else "IDEMPOTENCY_KEY_REUSED"
    assert [error["code"] for error in payload["userErrors"]] == [expected]
    assert await rows() == made


async def asked(caller: Caller, endpoint_id: str, delivery_id: str) -> list[str]:
    """The codes that each of the three is refused with."""
    given = [
        ("redeliver", {"deliveryId": delivery_id}),
        ("replayEvents", {"endpointId": endpoint_id, "since": "2020-01-01T00:00:00Z"}),
        ("sendTestEvent", {"endpointId": endpoint_id}),
    ]
    payloads = [await caller.do(mutation, value, "__typename") for mutation, value in given]
    return [error["code"] for payload in payloads for error in payload["userErrors"]]


async def test_who_may_not_read_contracts_has_a_test_sent_and_nothing_that_happened(
    people: People, client: Caller, endpoint: MadeEndpoint
) -> None:
    await delivered(people)
    blind = await with_key(
        people.client.http, people.deployment.client, people.deployment.operator, (Scope.WEBHOOKS_MANAGE,)
    )
    before = await rows()
    assert await asked(blind, endpoint.id, (await newest(client))["id"]) == ["FORBIDDEN", "FORBIDDEN"]
    assert sum(await rows()) == sum(before) + 1, "the test alone"


async def test_who_may_not_see_it_finds_nothing_and_who_may_not_ask_is_forbidden(
    people: People, client: Caller, endpoint: MadeEndpoint
) -> None:
    await delivered(people)
    another = await people.deployment.propose("1.00")
    delivery = (await newest(client))["id"]
    http, operator, owner = client.http, people.deployment.operator, people.deployment.client
    members = {}
    for role in (Role.MEMBER, Role.MANAGER):
        member_id = ids.new(Kind.MEMBER)
        addition = commands.AddMember(
            account_id=owner.account_id or "", member_id=member_id, person=f"{role}@shop.test", name=role, role=role
        )
        await pipeline.run(addition, by=operator)
        members[role] = await with_key(http, owner, operator, SCOPES, member_id=member_id)
    before = await rows()
    for other in (
        await with_key(http, people.deployment.freelancer, operator, SCOPES),
        await people.stranger(scopes=SCOPES),
        await with_key(http, owner, operator, SCOPES, contract_ids=(another.id,)),
    ):
        assert await asked(other, endpoint.id, delivery) == ["NOT_FOUND"] * 3
    assert await asked(people.client, endpoint.id, delivery) == ["FORBIDDEN"] * 3  # without the scope
    assert await asked(members[Role.MEMBER], endpoint.id, delivery) == ["FORBIDDEN"] * 3
    assert await asked(client, "whe_nonsense", "dlv_nonsense") == ["NOT_FOUND"] * 3
    assert (await rows())[:2] == before[:2]
    everything = await with_key(http, operator, operator, (Scope.OPERATOR, *SCOPES))
    assert await asked(members[Role.MANAGER], endpoint.id, delivery) == []
    assert await asked(everything, endpoint.id, delivery) == []


async def test_a_replay_says_where_it_begins_and_a_test_what_it_is(
    people: People, client: Caller, endpoint: MadeEndpoint
) -> None:
    before = await rows()
    for mutation, given, field in [
        ("replayEvents", {}, "after"),
        ("replayEvents", {"after": "cur_0000000000001", "since": datetime.now(UTC).isoformat()}, "after"),
        ("replayEvents", {"after": "cur_nonsense"}, "after"),
        ("sendTestEvent", {"eventType": "milestone.eaten"}, "eventType"),
    ]:
        payload = await client.do(mutation, {"endpointId": endpoint.id, **given}, "__typename")
        (error,) = payload["userErrors"]
        assert (error["code"], error["field"]) == ("INVALID_INPUT", field)
    assert await rows() == before


async def test_a_deleted_endpoint_gets_nothing_more(people: People, client: Caller, endpoint: MadeEndpoint) -> None:
    await delivered(people)
    delivery = (await newest(client))["id"]
    await client.done("deleteWebhookEndpoint", {"endpointId": endpoint.id}, "webhookEndpoint { id }")
    before = await rows()
    assert await asked(client, endpoint.id, delivery) == ["INVALID_STATE", "NOT_FOUND", "NOT_FOUND"]
    assert await rows() == before
    assert (await newest(client))["id"] == delivery  # what was, stays to be seen


async def test_a_replay_of_the_future_is_over_at_once(people: People, client: Caller, endpoint: MadeEndpoint) -> None:
    await delivered(people)
    since = (datetime.now(UTC) + timedelta(days=999)).isoformat()
    payload = await client.done("replayEvents", {"endpointId": endpoint.id, "since": since}, REPLAY)
    assert payload["replay"]["isOver"]
    assert payload["replay"]["after"] == payload["replay"]["until"]
    assert not await replays.step()


@pytest.mark.parametrize(
    ("begins", "is_over"),
    [
        ({"since": "0001-01-01T00:00:00Z"}, False),
        ({"since": "9999-12-31T23:59:59Z"}, True),
        ({"after": "cur_0000000000000"}, False),
        ({"after": "cur_7zzzzzzzzzzzz"}, True),
    ],
)
async def test_a_replay_may_begin_anywhere(
    people: People, client: Caller, endpoint: MadeEndpoint, begins: dict[str, str], is_over: bool
) -> None:
    await delivered(people)
    payload = await client.done("replayEvents", {"endpointId": endpoint.id, **begins}, REPLAY)
    assert payload["replay"]["isOver"] is is_over


async def test_a_key_that_is_limited_to_a_contract_tests_the_endpoint_with_the_same_limit(
    people: People, client: Caller, receivers: Partners
) -> None:
    deal = await people.deployment.fund("10.00")
    narrow = await make_endpoint(people.deployment.client, receivers.url(), contract_ids=(deal.id,))
    await fan_out_only()
    limited = await with_key(
        client.http, people.deployment.client, people.deployment.operator, SCOPES, contract_ids=(deal.id,)
    )
    payload = await limited.done("sendTestEvent", {"endpointId": narrow.id}, DELIVERY)
    assert (payload["delivery"]["kind"], payload["delivery"]["stream"]) == ("TEST", deal.id)
    await send_what_waits()
    assert receivers.arrivals[-1].headers["webhook-id"] == payload["delivery"]["eventId"]


async def test_asking_costs_the_key_a_look_a_write_and_the_answer(
    people: People, client: Caller, endpoint: MadeEndpoint
) -> None:
    await delivered(people)
    delivery = (await newest(client))["id"]
    for mutation, given, fields in [
        ("redeliver", {"deliveryId": delivery}, DELIVERY),
        ("replayEvents", {"endpointId": endpoint.id, "after": "cur_0000000000000"}, REPLAY),
        ("sendTestEvent", {"endpointId": endpoint.id}, DELIVERY),
    ]:
        with database.counting() as statements:
            await client.done(mutation, given, fields)
        assert len(statements) == 4, mutation
