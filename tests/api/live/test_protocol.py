"""`graphql-transport-ws` to the letter: each message, and each code that closes the socket."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
import pytest_asyncio
from graphql import GraphQLError
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

from api.live import open_streams
from api.live.messages import MESSAGE_BYTES_MAX
from api.live.open_streams import PING_SECONDS, PONG_SECONDS, Patience
from api.live.websocket import _Socket
from api.rates.budgets import Rates
from escrow import database
from schema.engine.told import refusal
from schema.error_codes import coded
from tests.api.live.serving import Served, serve
from tests.api.live.socket import PROTOCOL, connected
from tests.patience import PATIENCE_SECONDS

EVENTS = "subscription { events { type } }"
SUBSCRIBE = {"id": "1", "type": "subscribe", "payload": {"query": EVENTS}}


@pytest_asyncio.fixture(loop_scope="session")
async def narrow(database: str, redis_url: str) -> AsyncIterator[Served]:
    """The application with room for little at once."""
    async with serve(redis_url, patience=Patience(operations_max=2, per_key_max=2)) as one:
        yield one


async def test_queries_mutations_and_subscriptions_share_a_connection(served: Served) -> None:
    client = served.people.client
    async with connected(served, token=client.token) as socket:
        await socket.say(id="a", type="subscribe", payload={"query": "{ viewer { accountId } }"})
        data = {"viewer": {"accountId": client.account_id}}
        assert await socket.hear() == {"id": "a", "type": "next", "payload": {"data": data}}
        assert await socket.hear() == {"id": "a", "type": "complete"}
        await socket.say(id="a", type="subscribe", payload={"query": "query Q { __typename } ", "operationName": "Q"})
        assert (await socket.hear())["payload"] == {"data": {"__typename": "Query"}}
        assert (await socket.hear())["type"] == "complete"


async def test_an_operation_may_name_the_trace_that_its_events_belong_to(served: Served) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    client = served.people.client
    deal = await served.people.deployment.activate()
    fund = (
        f'mutation {{ fundMilestone(input: {{milestoneId: "{deal.milestone_ids[0]}"}}) {{ userErrors {{ code }} }} }}'
    )
    async with connected(served, token=client.token) as socket:
        extensions = {"traceparent": f"00-{trace}-b7ad6b7169203331-01", "tracestate": "a=1"}
        await socket.say(id="a", type="subscribe", payload={"query": fund, "extensions": extensions})
        assert (await socket.data())["fundMilestone"]["userErrors"] == []
    rows = await database.fetch("SELECT type FROM events WHERE trace LIKE $1", f"00-{trace}-%\ta=1")
    assert [row["type"] for row in rows] == ["deposit.started"]


async def test_what_is_no_valid_operation_is_an_error_and_the_connection_lives_on(served: Served) -> None:
    async with connected(served, token=served.people.client.token) as socket:
        for query, code in (
            ("{ nothing }", "BAD_REQUEST"),
            ("", "BAD_REQUEST"),
            ("subscription { events { type } contractUpdated(id: 1) { id } }", "BAD_REQUEST"),
            ("subscription ($a: Cursor!) { events(after: $a) { type } }", "BAD_REQUEST"),
            ("{ " + " ".join(f"a{n}: __typename" for n in range(60)) + " }", "QUERY_TOO_COMPLEX"),
        ):
            operation_id = await socket.subscribe(query)
            message = await socket.hear()
            assert (message["id"], message["type"]) == (operation_id, "error"), query
            assert message["payload"][0]["extensions"]["code"] == code, query
        await socket.silent()


async def test_what_no_text_has_is_refused_over_a_socket_too(served: Served) -> None:
    lists = "query ($f: DeliveryFilter) { deliveries(filter: $f) { nodes { id } } }"
    async with connected(served, token=served.people.client.token) as socket:
        for query, variables in (
            (lists, {"f": {"endpointId": "\0"}}),
            ("subscription ($id: ID!) { contractUpdated(id: $id) { id } }", {"id": "a\0"}),
            (r'subscription { contractUpdated(id: "\u0000") { id } }', {}),
        ):
            await socket.subscribe(query, variables)
            message = await socket.hear()
            assert message["type"] == "error", query
            assert message["payload"][0]["extensions"]["code"] == "BAD_REQUEST"
            assert "U+0000" in message["payload"][0]["message"]


async def test_a_connection_without_credentials_gets_what_needs_none(served: Served) -> None:
    async with connected(served, token=None) as socket:
        await socket.subscribe("{ __typename }")
        assert await socket.data() == {"__typename": "Query"}
        assert (await socket.hear())["type"] == "complete"
        await socket.subscribe(EVENTS)
        message = await socket.hear()
        assert message["type"] == "error"
        assert message["payload"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_credentials_of_the_handshake_count_if_the_first_message_has_none(served: Served) -> None:
    client = served.people.client
    headers = {"authorization": f"Bearer {client.token}"}
    async with connected(served, additional_headers=headers) as socket:
        await socket.subscribe("{ viewer { accountId } }")
        assert await socket.data() == {"viewer": {"accountId": client.account_id}}


async def test_pings_are_answered_with_what_came_along_and_pongs_are_taken(served: Served) -> None:
    async with connected(served, init=False) as socket:
        await socket.say(type="ping")
        assert await socket.hear() == {"type": "pong"}
        await socket.init(None)
        await socket.say(type="ping", payload={"at": 1})
        assert await socket.hear() == {"type": "pong", "payload": {"at": 1}}
        await socket.say(type="pong", payload={"any": "thing"})
        await socket.silent()


async def test_a_completed_operation_says_nothing_more_and_its_id_is_free(served: Served) -> None:
    people = served.people
    async with connected(served, token=people.client.token) as socket:
        await socket.say(**SUBSCRIBE)
        await socket.say(id="1", type="complete")
        await socket.say(id="never heard of", type="complete")
        await people.deployment.propose()
        await socket.silent()
        assert served.door.hub.readers == 0
        await socket.say(
            id="1", type="subscribe", payload={"query": 'subscription { events(after: "cur_0000000000000") { type } }'}
        )
        assert (await socket.event())["type"] == "account.created"


@pytest.mark.parametrize(
    "text",
    [
        "no json", "[]", "1", "{}", '{"type": 1}', '{"type": "start"}', '{"type": "next", "id": "1", "payload": {}}',
        '{"type": "connection_ack"}', '{"type": "ping", "payload": "text"}', '{"type": "pong", "payload": [1]}',
        '{"type": "complete"}', '{"type": "subscribe", "id": "1"}', '{"type": "subscribe", "payload": {"query": "{ a }"}}',
        '{"type": "subscribe", "id": "", "payload": {"query": "{ a }"}}', '{"type": "subscribe", "id": "1", "payload": {}}',
        '{"type": "subscribe", "id": 1, "payload": {"query": "{ a }"}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": 1}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ a }", "variables": []}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ a }", "operationName": 1}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ a }", "extensions": "x"}}',
        '{"type": "connection_init", "payload": []}', b"{}",
    ],
)  # fmt: skip
async def test_4400_for_a_message_that_the_protocol_does_not_know(served: Served, text: str | bytes) -> None:
    async with connected(served, init=False) as socket:
        await socket.connection.send(text)
        code, reason = await socket.closed()
        assert code == 4400
        assert reason.startswith("Invalid message: ")


async def test_4400_for_credentials_that_are_no_text(served: Served) -> None:
    async with connected(served, init=False) as socket:
        await socket.say(type="connection_init", payload={"authorization": 1})
        assert (await socket.closed())[0] == 4400


async def test_4401_for_an_operation_before_the_acknowledgement(served: Served) -> None:
    async with connected(served, init=False) as socket:
        await socket.say(**SUBSCRIBE)
        code, reason = await socket.closed()
        assert code == 4401
        assert reason.startswith("Unauthorized")


@pytest.mark.parametrize("authorization", ["Bearer ek_nobody", "Basic x", "", "Bearer é"])
async def test_4403_for_credentials_that_name_nobody(served: Served, authorization: str) -> None:
    async with connected(served, init=False) as socket:
        await socket.say(type="connection_init", payload={"Authorization": authorization})
        code, reason = await socket.closed()
        assert code == 4403
        assert reason.startswith("Forbidden")


@pytest.mark.parametrize("offered", [None, [Subprotocol("graphql-ws")]])
async def test_4406_for_another_protocol(served: Served, offered: Any) -> None:
    async with connected(served, init=False, subprotocols=offered) as socket:
        assert (await socket.closed())[0] == 4406


async def test_the_protocol_is_chosen_among_several(served: Served) -> None:
    async with connected(served, subprotocols=[Subprotocol("graphql-ws"), PROTOCOL]) as socket:
        assert socket.connection.subprotocol == PROTOCOL


async def test_4408_for_a_client_that_does_not_begin(database: str, redis_url: str) -> None:
    patience = Patience(init_seconds=1.0)
    async with serve(redis_url, patience=patience) as served, connected(served, init=False) as socket:
        await socket.say(type="ping")
        code, reason = await socket.closed()
        assert (code, reason) == (4408, "Connection initialisation timeout.")


async def test_4409_for_an_id_that_is_in_use(served: Served) -> None:
    async with connected(served, token=served.people.client.token) as socket:
        await socket.say(**SUBSCRIBE)
        await socket.say(**SUBSCRIBE)
        assert await socket.closed() == (4409, "Subscriber for 1 already exists")
    assert served.door.hub.readers == 0


async def test_4429_for_a_second_initialisation(served: Served) -> None:
    async with connected(served) as socket:
        await socket.say(type="connection_init")
        assert await socket.closed() == (4429, "Too many initialisation requests.")


async def test_4429_for_more_connections_than_a_key_may_have(narrow: Served) -> None:
    token = narrow.people.client.token
    async with connected(narrow, token=token), connected(narrow, token=token):
        async with connected(narrow, init=False) as third:
            await third.say(type="connection_init", payload={"authorization": f"Bearer {token}"})
            code, reason = await third.closed()
            assert code == 4429
            assert "2 open connections" in reason
        async with connected(narrow, token=narrow.people.freelancer.token):
            pass
    await narrow.nobody()
    async with connected(narrow, token=token):
        pass


async def test_more_operations_than_a_connection_may_have_are_refused_one_by_one(narrow: Served) -> None:
    async with connected(narrow, token=narrow.people.client.token) as socket:
        for operation_id in "123":
            await socket.say(id=operation_id, type="subscribe", payload={"query": EVENTS})
        message = await socket.hear()
        assert (message["id"], message["type"]) == ("3", "error")
        assert message["payload"][0]["extensions"]["code"] == "RATE_LIMITED"
        assert "2 operations" in message["payload"][0]["message"]
        await socket.say(id="1", type="complete")
        await socket.say(id="3", type="subscribe", payload={"query": "{ __typename }"})
        assert (await socket.hear())["type"] == "next"


async def test_a_silent_client_is_asked_and_one_that_does_not_answer_is_let_go(database: str, redis_url: str) -> None:
    """Nobody looks by the clock: on a busy machine whoever answers would be late, too."""
    async with (
        serve(redis_url, patience=Patience(look_seconds=3_600.0)) as served,
        connected(served, token=served.people.client.token) as lively,
        connected(served, token=served.people.client.token) as half_open,
    ):
        await half_open.say(**SUBSCRIBE)
        await served.readers(1)
        both, silent_for = tuple(served.door.connections._open), PING_SECONDS + 1
        for connection in both:
            connection.look(time.monotonic() + silent_for)
        assert json.loads(await lively.connection.recv()) == {"type": "ping"}
        await lively.say(type="pong")
        await lively.say(type="ping")
        assert await lively.hear() == {"type": "pong"}  # so that one was heard, too
        for connection in both:
            connection.look(time.monotonic() + silent_for + PONG_SECONDS)
        assert (await half_open.closed())[0] == 4408  # it reads, but says no more
        assert len(served.door.connections) == 1
        assert served.door.hub.readers == 0
        await lively.subscribe("{ __typename }")
        assert await lively.data() == {"__typename": "Query"}


@pytest.mark.parametrize("said", ["a ping", "a refusal"])
async def test_a_client_that_goes_while_something_is_said_to_it_is_nobodys_fault(
    narrow: Served, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    reported: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    usual = loop.get_exception_handler()
    async with connected(narrow, token=narrow.people.client.token):
        (one,) = narrow.door.connections._open
        connection = cast("_Socket", one)
        monkeypatch.setattr(connection, "_asgi_send", _hung_up)
        loop.set_exception_handler(lambda _, context: reported.append(context))
        try:
            if said == "a ping":
                connection.look(time.monotonic() + PING_SECONDS + 1)
            else:
                connection._begin(connection._refuse("1", refusal([GraphQLError("No.")])))
            await asyncio.wait(tuple(connection._tasks))
            gc.collect()  # a failure that nobody looked at is told when its task goes
        finally:
            loop.set_exception_handler(usual)
    assert reported == []


async def _hung_up(_: object) -> None:
    raise OSError("the connection is gone")


async def test_a_page_of_another_origin_gets_no_connection(served: Served) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(served.socket_url, subprotocols=[PROTOCOL], origin=Origin("null")):
            pass
    assert refused.value.response.status_code == 403
    for token in (None, served.people.client.token):
        async with connected(served, init=False, origin=Origin("https://elsewhere.example")) as socket:
            await socket.say(type="connection_init", payload={"authorization": f"Bearer {token}"} if token else {})
            code, reason = await socket.closed()
            assert code == 4403
            assert "a session that names their origin" in reason
    own = Origin(f"http://127.0.0.1:{served.port}")
    async with connected(served, origin=own):
        pass
    served.door.allowed_origins = frozenset({"https://elsewhere.example"})
    async with connected(served, origin=Origin("https://elsewhere.example")):
        pass


async def test_a_document_that_is_only_named_by_its_hash_is_an_error_that_clients_fall_back_on(served: Served) -> None:
    async with connected(served) as socket:
        extensions = {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}
        await socket.say(id="1", type="subscribe", payload={"operationName": "Q", "extensions": extensions})
        message = await socket.hear()
        assert (message["id"], message["type"]) == ("1", "error")
        assert message["payload"][0]["extensions"] == coded("PERSISTED_QUERY_NOT_SUPPORTED")
        assert message["payload"][0]["message"] == "PersistedQueryNotSupported"


async def test_a_message_that_is_too_long_closes_the_socket(served: Served) -> None:
    async with connected(served, init=False) as socket:
        await socket.connection.send("x" * (MESSAGE_BYTES_MAX + 1))
        assert (await socket.closed())[0] == 1009


async def test_a_server_that_stops_says_so(served: Served) -> None:
    async with connected(served, token=served.people.client.token) as socket, connected(served) as other:
        await socket.say(**SUBSCRIBE)
        await served.readers(1)
        served.server.should_exit = True
        assert (await socket.closed())[0] == 1001
        assert (await other.closed())[0] == 1001


async def test_what_has_one_answer_gets_it_before_a_server_that_stops_closes_the_socket(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_streams, "FINISH_SECONDS", PATIENCE_SECONDS)
    mutation = 'mutation { acceptContract(input: {contractId: "ctr_x", revision: 1}) { userErrors { code } } }'
    async with connected(served, token=served.people.client.token) as socket:
        await socket.say(**SUBSCRIBE)
        await served.readers(1)
        asked, goes_on = served.slowed(monkeypatch)
        await socket.say(id="2", type="subscribe", payload={"query": mutation})
        await asked.wait()
        stopping = asyncio.create_task(served.door.connections.end_all())
        await asyncio.sleep(0)
        assert served.door.connections.is_stopping
        goes_on.set()
        said, closed = await socket.all_until_closed()
        assert [json.loads(one)["type"] for one in said] == ["next", "complete"]
        assert json.loads(said[0])["payload"]["data"] == {"acceptContract": {"userErrors": [{"code": "NOT_FOUND"}]}}
        assert closed[0] == 1001
        await stopping


async def test_a_subscription_that_begins_when_the_server_stops_ends_where_it_begins(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_streams, "FINISH_SECONDS", PATIENCE_SECONDS)
    async with connected(served, token=served.people.client.token) as socket:
        asked, goes_on = served.slowed(monkeypatch)
        await socket.say(**SUBSCRIBE)
        await asked.wait()
        stopping = asyncio.create_task(served.door.connections.end_all())
        await asyncio.sleep(0)
        goes_on.set()
        assert (await socket.closed())[0] == 1001
        await stopping
    await served.nobody()


async def test_whoever_comes_to_a_server_that_stops_is_told_so(served: Served) -> None:
    await served.door.connections.end_all()
    async with connected(served, init=False) as socket:
        assert (await socket.closed())[0] == 1001


async def test_whoever_has_nothing_left_is_told_over_a_socket_and_the_connection_lives_on(served: Served) -> None:
    served.door.rates = Rates(1.0)  # restores next to nothing while the test lasts
    dear = "{ contracts(first: 100) { nodes { allowedActions { action } milestones { allowedActions { action } } } } }"
    async with connected(served, token=served.people.client.token) as socket:
        told: list[Any] = []
        while not told or told[-1]["type"] != "error":
            await socket.subscribe(dear)
            told.append(await socket.hear())
            if told[-1]["type"] == "next":
                assert (await socket.hear())["type"] == "complete"
        assert 1 < len(told) < 20
        assert told[0]["payload"]["extensions"]["cost"]["restoreRate"] == 1
        assert told[-1]["payload"][0]["extensions"]["code"] == "RATE_LIMITED"
        await socket.silent()
