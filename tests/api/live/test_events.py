"""What streams say: each visible event once and in order, from wherever one begins, and the same types as queries."""

from __future__ import annotations

import json
from typing import Any

import pytest

from escrow import cursors, log
from escrow.access import Scope
from escrow.queries import contracts
from tests.api.client import with_key
from tests.api.live.serving import Served, settled
from tests.api.live.socket import Socket, connected

BEGINNING = "cur_0000000000000"
EVENTS = """subscription ($after: Cursor, $contractId: ID, $types: [String!]) {
    events(after: $after, contractId: $contractId, types: $types) { cursor id type stream sequence }
}"""


async def _events(socket: Socket, count: int) -> list[str]:
    return [(await socket.event())["type"] for _ in range(count)]


async def test_after_replays_and_goes_live_without_a_seam(served: Served) -> None:
    deal = await served.people.deployment.propose()
    async with connected(served, token=served.people.freelancer.token) as socket:
        await socket.subscribe(EVENTS, {"after": BEGINNING})
        assert await _events(socket, 5) == [
            "account.created", "key.created", "contract.proposed", "milestone.added", "milestone.added",
        ]  # fmt: skip
        await deal.accept()
        assert await _events(socket, 1) == ["contract.accepted"]
        await deal.confirm(await deal.fund())
        live = [await socket.event() for _ in range(4)]
        assert [event["type"] for event in live] == [
            "deposit.started", "deposit.confirmed", "milestone.funded", "milestone.activated",
        ]  # fmt: skip
        assert [event["sequence"] for event in live] == [5, 6, 7, 8]
        await socket.silent()
    async with connected(served, token=served.people.freelancer.token) as socket:
        await socket.subscribe(EVENTS, {"after": live[1]["cursor"]})
        assert [await socket.event() for _ in range(2)] == live[2:]
        await socket.silent()


@pytest.mark.parametrize("after", [None, "latest"])
async def test_without_a_cursor_it_begins_now(served: Served, after: str | None) -> None:
    deal = await served.people.deployment.propose()
    await settled()
    async with connected(served, token=served.people.client.token) as socket:
        await socket.subscribe(EVENTS, {"after": after})
        await served.readers(1)
        await deal.accept()
        assert await _events(socket, 1) == ["contract.accepted"]


async def test_a_cursor_that_is_none_is_refused_in_one_sentence(served: Served) -> None:
    last = await log.last_position()
    beyond = cursors.print_cursor(last + 1_000)
    async with connected(served, token=served.people.client.token) as socket:
        for after, said in (
            ("nonsense", '"nonsense" is no cursor of the log'),
            ("cur_000000000000u", "is no cursor of the log"),
            (beyond, f"The log has not reached {beyond}"),
        ):
            await socket.subscribe(EVENTS, {"after": after})
            message = await socket.hear()
            assert message["type"] == "error"
            assert said in message["payload"][0]["message"]
            assert message["payload"][0]["extensions"]["code"] == "BAD_REQUEST"


async def test_types_and_contracts_narrow_replay_and_live_alike(served: Served) -> None:
    deployment = served.people.deployment
    first, second = await deployment.propose(), await deployment.propose()
    async with connected(served, token=served.people.client.token) as socket:
        await socket.subscribe(EVENTS, {"after": BEGINNING, "contractId": first.id, "types": ["milestone.added"]})
        replayed = [await socket.event() for _ in range(2)]
        assert {(event["type"], event["stream"]) for event in replayed} == {("milestone.added", first.id)}
        await socket.subscribe(EVENTS, {"after": BEGINNING, "types": ["contract.accepted", "contract.declined"]})
        await served.readers(2)
        await second.accept()
        await first.accept()
        assert [(await socket.event())["stream"] for _ in range(2)] == [second.id, first.id]
        await socket.silent()


@pytest.mark.parametrize(
    ("types", "said"),
    [
        ([], "`types` is empty"),
        (["milestone.release"], "did you mean “milestone.released”?"),
        (["x" * 500], "a type is written as"),
    ],
)
async def test_types_that_are_none_are_refused(served: Served, types: list[str], said: str) -> None:
    async with connected(served, token=served.people.client.token) as socket:
        await socket.subscribe(EVENTS, {"types": types})
        message = await socket.hear()
        assert message["type"] == "error"
        assert said in message["payload"][0]["message"]
        assert len(message["payload"][0]["message"]) < 200


async def test_each_viewer_hears_what_it_may_see_and_nothing_else(served: Served) -> None:
    people = served.people
    limited_to = await people.deployment.propose()
    stranger = await people.stranger()
    limited = await with_key(
        people.client.http, people.deployment.client, people.deployment.operator, contract_ids=(limited_to.id,)
    )
    async with (
        connected(served, token=stranger.token) as of_stranger,
        connected(served, token=limited.token) as of_limited,
        connected(served, token=people.operator.token) as of_operator,
    ):
        for socket in (of_stranger, of_limited, of_operator):
            await socket.subscribe(EVENTS, {"after": BEGINNING})
        assert await _events(of_stranger, 2) == ["account.created", "key.created"]
        assert await _events(of_limited, 3) == ["contract.proposed", "milestone.added", "milestone.added"]
        everything = await log.read(after=0)
        for _ in everything:
            await of_operator.event()
        other = await people.deployment.propose()
        await limited_to.accept()
        assert {(await of_operator.event())["stream"] for _ in range(4)} == {other.id, limited_to.id}
        assert await _events(of_limited, 1) == ["contract.accepted"]
        await of_stranger.silent()
        await of_limited.silent()


async def test_what_may_not_be_seen_can_not_be_subscribed_to(served: Served) -> None:
    deal = await served.people.deployment.propose()
    stranger = await served.people.stranger()
    async with connected(served, token=stranger.token) as socket:
        for query in (
            f'subscription {{ events(contractId: "{deal.id}") {{ id }} }}',
            f'subscription {{ changes(contractId: "{deal.id}") {{ cursor }} }}',
            f'subscription {{ contractUpdated(id: "{deal.id}") {{ id }} }}',
            f'subscription {{ milestoneUpdated(contractId: "{deal.id}") {{ id }} }}',
            'subscription { contractUpdated(id: "nothing") { id } }',
        ):
            await socket.subscribe(query)
            message = await socket.hear()
            assert message["type"] == "error"
            assert message["payload"][0]["extensions"]["code"] == "NOT_FOUND"
    assert served.door.hub.readers == 0


async def test_a_key_without_the_scope_hears_nothing(served: Served) -> None:
    people = served.people
    deaf = await with_key(
        people.client.http, people.deployment.client, people.deployment.operator, (Scope.WEBHOOKS_MANAGE,)
    )
    deal = await people.deployment.propose()
    async with connected(served, token=deaf.token) as socket:
        for field in ("events", f'contractUpdated(id: "{deal.id}")', f'milestoneUpdated(contractId: "{deal.id}")'):
            await socket.subscribe(f"subscription {{ {field} {{ id }} }}")
            assert (await socket.hear())["payload"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_live_events_are_those_of_the_timeline_and_withhold_what_it_withholds(served: Served) -> None:
    deal = await served.people.deployment.activate("10.00")
    fields = "id type cursor hash previousHash data body actor { accountId } texts { field value salt }"
    async with connected(served, token=served.people.client.token) as socket:
        await socket.subscribe(f"subscription {{ events {{ {fields} }} }}")
        await served.readers(1)
        await deal.confirm(await deal.fund(token="tok_secret"))
        live = [await socket.event() for _ in range(4)]
    assert "paymentToken" in live[0]["data"]["texts"]
    assert "tok_secret" not in json.dumps(live)
    query = f'{{ contract(id: "{deal.id}") {{ timeline(first: 100) {{ nodes {{ {fields} }} }} }} }}'
    timeline = (await served.people.client.ask(query))["contract"]["timeline"]["nodes"]
    assert timeline[-4:] == live


async def test_a_contract_is_told_as_it_is_once_for_what_happens_at_once(served: Served) -> None:
    deal = await served.people.deployment.activate("10.00", "20.00")
    async with connected(served, token=served.people.client.token) as socket:
        await socket.subscribe(
            f'subscription {{ contractUpdated(id: "{deal.id}") {{ version milestones {{ state }} }} }}'
        )
        await served.readers(1)
        deposit = await deal.fund()
        states = [one["state"] for one in (await socket.data())["contractUpdated"]["milestones"]]
        assert states == ["FUNDING", "PLANNED"]
        await deal.confirm(deposit)
        updated = (await socket.data())["contractUpdated"]
        assert [one["state"] for one in updated["milestones"]] == ["ACTIVE", "PLANNED"]
        await socket.silent()


async def test_milestones_are_told_that_are_not_as_they_were(served: Served) -> None:
    deal = await served.people.deployment.activate("10.00", "20.00")
    other = await served.people.deployment.activate("10.00")
    query = f'subscription {{ milestoneUpdated(contractId: "{deal.id}") {{ id state }} }}'
    async with connected(served, token=served.people.freelancer.token) as socket:
        await socket.subscribe(query)
        await served.readers(1)
        deposit = await deal.fund()
        await other.fund()
        told = (await socket.data())["milestoneUpdated"]
        assert told == {"id": deal.milestone(1), "state": "FUNDING"}
        await deal.confirm(deposit)
        assert (await socket.data())["milestoneUpdated"]["state"] == "ACTIVE"
        await deal.submit()
        assert (await socket.data())["milestoneUpdated"]["state"] == "SUBMITTED"
        await socket.silent()


async def test_changes_tell_with_each_event_what_it_touched_as_that_is_by_then_and_resume(served: Served) -> None:
    deal = await served.people.deployment.activate("10.00", "20.00")
    query = """subscription ($after: Cursor, $contractId: ID, $types: [String!]) {
        changes(after: $after, contractId: $contractId, types: $types) {
            cursor event { type sequence } contract { state } milestones { id state } } }"""

    async def told(socket: Socket, count: int) -> list[dict[str, Any]]:
        return [(await socket.data())["changes"] for _ in range(count)]

    async with connected(served, token=served.people.freelancer.token) as socket:
        await socket.subscribe(query, {"contractId": deal.id})
        await served.readers(1)
        await deal.confirm(await deal.fund())
        live = await told(socket, 4)
        assert [one["event"]["type"] for one in live] == [
            "deposit.started", "deposit.confirmed", "milestone.funded", "milestone.activated",
        ]  # fmt: skip
        assert live[-1]["milestones"] == [{"id": deal.milestone(1), "state": "ACTIVE"}]
        assert {one["contract"]["state"] for one in live} == {"ACTIVE"}
        await socket.silent()
    await deal.submit()
    async with connected(served, token=served.people.freelancer.token) as socket:
        await socket.subscribe(
            query, {"after": live[2]["cursor"], "types": ["milestone.activated", "milestone.submitted"]}
        )
        again = await told(socket, 2)
        assert [one["event"]["type"] for one in again] == ["milestone.activated", "milestone.submitted"]
        assert again[0]["milestones"] == [{"id": deal.milestone(1), "state": "SUBMITTED"}], (
            "as it is now, not as it was"
        )


async def test_a_failing_field_does_not_end_the_stream(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    deal = await served.people.deployment.propose()
    async with connected(served, token=served.people.client.token) as socket:
        await socket.subscribe(f'subscription {{ contractUpdated(id: "{deal.id}") {{ state }} }}')
        await served.readers(1)
        with monkeypatch.context() as broken:
            broken.setattr("schema.engine.log_sources.contract_found", _fail)
            await deal.accept()
            message = await socket.hear()
            assert message["type"] == "next"
            assert message["payload"]["errors"][0]["extensions"]["code"] == "INTERNAL"
            assert "secret" not in json.dumps(message)
        await deal.fund()
        assert (await socket.data())["contractUpdated"] == {"state": "ACTIVE"}


@pytest.mark.parametrize(
    "found_by", ["contractUpdated(id: {id}) {{ state }}", "changes(contractId: {id}) {{ contract {{ state }} }}"]
)
async def test_an_answer_that_meets_a_restart_of_the_database_is_made_when_it_is_back(
    served: Served, monkeypatch: pytest.MonkeyPatch, found_by: str
) -> None:
    deal = await served.people.deployment.propose()
    failures, found = 0, contracts.contracts_by_id

    async def away(*arguments: Any, **others: Any) -> Any:
        nonlocal failures
        if failures < 2:
            failures += 1
            raise ConnectionRefusedError("the database restarts")
        return await found(*arguments, **others)

    async with connected(served, token=served.people.client.token) as socket:
        await socket.subscribe(f"subscription {{ {found_by.format(id=json.dumps(deal.id))} }}")
        await served.readers(1)
        with monkeypatch.context() as broken:
            broken.setattr(contracts, "contracts_by_id", away)
            await deal.accept()
            assert "ACTIVE" in json.dumps(await socket.data())
        assert failures == 2
        await socket.silent()


async def _fail(*_: object) -> None:
    raise RuntimeError("secret")
