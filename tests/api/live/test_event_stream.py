"""GraphQL over server-sent events, in the mode of distinct connections."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from api.live import open_streams
from api.live.open_streams import Patience
from escrow.queries import contracts
from schema.error_codes import coded
from tests.api.live.serving import Served, serve
from tests.api.live.sse import Said, opened
from tests.patience import PATIENCE_SECONDS

BEGINNING = "cur_0000000000000"
ACCEPTING = 'mutation { acceptContract(input: {contractId: "ctr_x", revision: 1}) { userErrors { code } } }'
EVENTS = "subscription ($after: Cursor) { events(after: $after) { cursor type sequence } }"


@pytest_asyncio.fixture(loop_scope="session")
async def hasty(database: str, redis_url: str) -> AsyncIterator[Served]:
    """The application with little patience."""
    async with serve(redis_url, patience=Patience(comment_seconds=0.1, look_seconds=0.05, per_key_max=1)) as one:
        yield one


async def _get(served: Served, query: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=180) as http:
        headers = {"accept": "text/event-stream"} | headers
        return await http.get(served.url, params={"query": query}, headers=headers)


async def test_a_subscription_is_a_stream_of_next_events_that_carry_their_cursor_as_id(served: Served) -> None:
    people = served.people
    async with opened(served, EVENTS, {"after": BEGINNING}, token=people.client.token) as stream:
        assert stream.response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.response.headers["cache-control"] == "no-store"
        first = await stream.hear()
        assert first.event == "next"
        assert first.data["data"]["events"]["type"] == "account.created"
        assert first.id == first.data["data"]["events"]["cursor"]
        assert (await stream.event())["type"] == "key.created"
        await people.deployment.propose()
        assert (await stream.event())["type"] == "contract.proposed"
    await served.nobody()


async def test_the_last_event_id_resumes_as_a_browser_does(served: Served) -> None:
    people = served.people
    async with opened(served, EVENTS, {"after": BEGINNING}, token=people.client.token) as stream:
        first = await stream.hear()
    headers = {"last-event-id": first.id or ""}
    async with opened(served, EVENTS, {"after": BEGINNING}, token=people.client.token, **headers) as stream:
        assert (await stream.event())["type"] == "key.created"


async def test_queries_and_mutations_answer_once_and_complete(served: Served) -> None:
    client = served.people.client
    async with opened(served, "{ viewer { accountId } }", token=client.token) as stream:
        assert await stream.hear() == Said("next", {"data": {"viewer": {"accountId": client.account_id}}}, None)
        assert await stream.hear() == Said("complete", None, None)
        await stream.ended()
    async with opened(served, ACCEPTING, token=client.token) as stream:
        assert (await stream.hear()).data == {"data": {"acceptContract": {"userErrors": [{"code": "NOT_FOUND"}]}}}
        assert (await stream.hear()).event == "complete"


async def test_an_operation_that_is_not_valid_is_told_in_the_stream(served: Served) -> None:
    for query in (
        "{ nothing }",
        'subscription { events(after: "nonsense") { type } }',
        "subscription { events { no } }",
    ):
        async with opened(served, query, token=served.people.client.token) as stream:
            assert stream.response.status_code == 200
            said = await stream.hear()
            assert said.event == "next"
            assert "data" not in said.data
            assert said.data["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
            assert (await stream.hear()).event == "complete"
            await stream.ended()


async def test_get_streams_subscriptions_and_queries_but_no_mutations(served: Served) -> None:
    answer = await _get(served, "{ __typename }")
    assert answer.text == ':\n\nevent: next\ndata: {"data":{"__typename":"Query"}}\n\nevent: complete\ndata: \n\n'
    answer = await _get(
        served, 'mutation { acceptContract(input: {contractId: "x", revision: 1}) { userErrors { code } } }'
    )
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


async def test_credentials_are_looked_at_before_the_stream(served: Served) -> None:
    answer = await _get(served, "subscription { events { type } }", authorization="Bearer ek_nobody")
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    answer = await _get(served, "subscription { events { type } }")
    assert answer.status_code == 200
    assert '"UNAUTHENTICATED"' in answer.text


async def test_without_asking_for_a_stream_a_subscription_is_refused(served: Served) -> None:
    errors = await served.people.client.errors("subscription { events { type } }")
    assert "text/event-stream" in errors[0]["message"]
    for accept, media_type in (
        ("*/*", "application/json"),
        ("text/*", None),
        ("application/json, text/event-stream;q=0.5", "application/json"),
        ("application/json;q=0.5, text/event-stream", "text/event-stream"),
        ("application/json, text/event-stream", "application/json"),
        ("text/event-stream", "text/event-stream"),
    ):
        answer = await _get(served, "{ __typename }", accept=accept)
        if media_type is None:
            assert answer.status_code == 406
        else:
            assert answer.headers["content-type"].partition(";")[0] == media_type, accept


async def test_a_stream_in_which_nothing_happens_carries_comments(hasty: Served) -> None:
    async with opened(hasty, EVENTS, token=hasty.people.client.token) as stream:
        async with asyncio.timeout(180):
            comments = 0
            async for line in stream._lines:
                comments += line == ":"
                if comments == 4:
                    break


async def test_more_streams_than_a_key_may_have_are_refused(hasty: Served) -> None:
    token = hasty.people.client.token
    async with opened(hasty, EVENTS, token=token), opened(hasty, EVENTS, token=token) as second:
        assert second.response.status_code == 429
        await second.response.aread()
        assert second.response.json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
        assert second.response.headers["retry-after"] == "5"
    await hasty.nobody()
    async with opened(hasty, EVENTS, token=token) as again:
        assert again.response.status_code == 200


async def test_a_server_that_stops_ends_its_streams_with_a_word(served: Served) -> None:
    async with opened(served, EVENTS, token=served.people.client.token) as stream:
        await served.readers(1)
        served.server.should_exit = True
        said: dict[str, Any] = (await stream.hear()).data
        assert said["errors"][0]["extensions"] == coded("GOING_AWAY", closeCode=1001)
        assert (await stream.hear()).event == "complete"
        await stream.ended()
    assert json.dumps(said)


def _away(response: httpx.Response) -> tuple[int, dict[str, Any]]:
    return response.status_code, response.json()["errors"][0]["extensions"]


async def test_a_stream_that_has_not_begun_when_the_server_stops_is_answered_too(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()

    async def never(*_: object, **__: object) -> None:
        asked.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(served.door.runner, "start", never)
    asking = asyncio.create_task(_get(served, EVENTS, authorization=f"Bearer {served.people.client.token}"))
    await asked.wait()
    await served.door.connections.end_all()
    assert _away(await asking) == (503, coded("GOING_AWAY"))


async def test_a_mutation_that_is_under_way_when_the_server_stops_is_answered(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_streams, "FINISH_SECONDS", PATIENCE_SECONDS)
    asked, goes_on = served.slowed(monkeypatch)

    async def answers() -> list[Said]:
        async with opened(served, ACCEPTING, token=served.people.client.token) as stream:
            return [await stream.hear(), await stream.hear()]

    asking = asyncio.create_task(answers())
    await asked.wait()
    stopping = asyncio.create_task(served.door.connections.end_all())
    await asyncio.sleep(0)
    assert served.door.connections.is_stopping
    goes_on.set()
    said = {"data": {"acceptContract": {"userErrors": [{"code": "NOT_FOUND"}]}}}
    assert await asking == [Said("next", said, None), Said("complete", None, None)]
    await stopping


async def test_whoever_comes_to_a_server_that_stops_is_turned_away(served: Served) -> None:
    await served.door.connections.end_all()
    async with opened(served, EVENTS, token=served.people.client.token) as stream:
        await stream.response.aread()
        assert _away(stream.response) == (503, coded("GOING_AWAY"))
        assert stream.response.headers["retry-after"] == "1"
    assert served.door.hub.readers == 0


async def test_a_server_that_stops_takes_no_connections_while_it_tells_everybody(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = asyncio.get_running_loop().create_future()
    end_all = served.door.connections.end_all

    async def probed() -> None:
        try:
            await asyncio.open_connection("127.0.0.1", served.port)
        except OSError:
            refused.set_result(True)
        else:
            refused.set_result(False)
        await end_all()

    monkeypatch.setattr(type(served.door.connections), "end_all", lambda _: probed())
    served.server.should_exit = True
    assert await refused


async def test_an_answer_with_errors_is_not_where_a_browser_goes_on_from(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal = await served.people.deployment.propose()
    query = "subscription { changes { cursor event { type } contract { state } } }"
    async with opened(served, query, token=served.people.client.token) as stream:
        await served.readers(1)
        with monkeypatch.context() as broken:
            broken.setattr(contracts, "contracts_by_id", _fail)
            await deal.accept()
            failed = await stream.hear()
        assert failed.data["data"]["changes"]["event"] == {"type": "contract.accepted"}
        assert failed.data["errors"][0]["extensions"]["code"] == "INTERNAL"
        assert failed.id is None
        await deal.fund()
        told = await stream.hear()
        assert told.data["data"]["changes"]["event"] == {"type": "deposit.started"}
        assert told.id == told.data["data"]["changes"]["cursor"]


async def _fail(*_: object, **__: object) -> None:
    raise RuntimeError("a fault of ours")
