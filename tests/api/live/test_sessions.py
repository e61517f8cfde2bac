"""Streams that hang on a session: they end with it, its key, its member and its account, and tell of its contracts alone."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from websockets.typing import Origin

from escrow import database as db
from escrow import ids, log, pipeline
from escrow.access import Role
from escrow.accounts import commands
from escrow.accounts.authentication import authenticate
from escrow.ids import Kind
from escrow.live.hub import Hub
from tests.api.client import Caller
from tests.api.live.serving import Served, serve
from tests.api.live.socket import connected
from tests.api.live.sse import EventStream, opened
from tests.api.live.test_endings import CREDENTIALS_ENDED, EVENTS
from tests.patience import PATIENCE_SECONDS

FRIEND, STRANGER = "https://shop.example.com", "https://elsewhere.example"
OF_CONTRACTS = "subscription { events { type stream } }"


async def session(by: Caller, **given: Any) -> Caller:
    made = await by.done("createSession", {"scopes": ["CONTRACTS_READ"]} | given, "token session { accountId }")
    return Caller(by.http, made["token"], made["session"]["accountId"])


async def session_id(browser: Caller) -> str:
    found: str = (await browser.ask("{ viewer { sessionId } }"))["viewer"]["sessionId"]
    return found


async def key_id(caller: Caller) -> str:
    actor = await authenticate(caller.token or "")
    assert actor is not None
    return actor.key_id or ""


async def a_member(served: Served) -> str:
    people = served.people
    member_id = ids.new(Kind.MEMBER)
    command = commands.AddMember(
        account_id=people.client.account_id, member_id=member_id, person="ann@example.com", name="Ann", role=Role.VIEWER
    )
    await pipeline.run(command, by=people.deployment.operator)
    return member_id


@pytest.mark.parametrize("what", ["the session", "its key", "its member", "its account", "its key in another account"])
async def test_its_streams_end_with(served: Served, what: str) -> None:
    people, operator = served.people, served.people.deployment.operator
    member_id = await a_member(served)
    maker = people.operator if what == "its key in another account" else people.client
    browser = await session(maker, memberId=member_id)
    async with (
        connected(served, token=browser.token) as socket,
        opened(served, EVENTS, token=browser.token) as stream,
    ):
        await socket.subscribe(EVENTS)
        await served.readers(2)
        endings = {
            "the session": commands.RevokeSession(session_id=await session_id(browser)),
            "its member": commands.RemoveMember(member_id=member_id),
            "its account": commands.DisableAccount(account_id=people.client.account_id),
        }
        ending = endings.get(what) or commands.RevokeApiKey(key_id=await key_id(maker))
        await pipeline.run(ending, by=operator)
        assert await socket.closed() == CREDENTIALS_ENDED
        assert await last_code(stream) == "UNAUTHENTICATED"
    assert (await browser.post("{ __typename }")).status_code == 401


async def last_code(stream: EventStream) -> str | None:
    """The code of the error with which a stream ends."""
    code = None
    while (said := await stream.hear()).event != "complete":
        code = said.data["errors"][0]["extensions"]["code"] if "errors" in said.data else None
    return code


async def test_nothing_that_came_after_its_end_is_said(database: str, redis_url: str) -> None:
    """Both are in the log before the hub looks, so that only their order tells."""
    assert database
    async with serve(redis_url, sequencing=False) as served:
        deal = await served.people.deployment.propose()
        browser = await session(served.people.client)
        command = commands.RevokeSession(session_id=await session_id(browser))
        await log.sequence()
        async with connected(served, token=browser.token) as socket:
            await socket.subscribe(EVENTS)
            await served.readers(1)
            await pipeline.run(command, by=served.people.deployment.operator)
            await deal.accept()
            await log.sequence()
            assert await socket.all_until_closed() == ([], CREDENTIALS_ENDED)


async def test_nothing_is_said_beyond_its_time(database: str, redis_url: str) -> None:
    assert database
    async with serve(redis_url, hub=Hub(poll_seconds=0.05, look_seconds=0.05)) as served:
        browser = await session(served.people.client)
        async with connected(served, token=browser.token) as socket:
            await socket.subscribe(EVENTS)
            await served.readers(1)
            await db.execute("UPDATE sessions SET expires_at = clock_timestamp() + interval '0.3 seconds'")
            assert await socket.closed() == CREDENTIALS_ENDED


async def test_it_hears_of_its_contracts_alone_over_sockets_and_event_streams(served: Served) -> None:
    people = served.people
    other, mine = await people.deployment.propose(), await people.deployment.propose()
    browser = await session(people.client, contractIds=[mine.id])
    subscription = "subscription ($id: ID!) { contractUpdated(id: $id) { id } }"
    async with (
        connected(served, token=browser.token) as socket,
        opened(served, OF_CONTRACTS, token=browser.token) as stream,
    ):
        await socket.subscribe(OF_CONTRACTS)
        await served.readers(2)
        await other.accept()
        await session(people.client)
        await mine.accept()
        assert await socket.event() == {"type": "contract.accepted", "stream": mine.id}
        assert await stream.event() == {"type": "contract.accepted", "stream": mine.id}
        await socket.say(id="x", type="subscribe", payload={"query": subscription, "variables": {"id": other.id}})
        refused = await socket.hear()
        assert (refused["id"], refused["type"]) == ("x", "error")
        assert refused["payload"][0]["extensions"]["code"] == "NOT_FOUND"


async def test_a_page_that_it_names_opens_a_socket_and_one_that_it_does_not_is_told_why(served: Served) -> None:
    people = served.people
    browser = await session(people.client, origins=[FRIEND])
    own = f"http://127.0.0.1:{served.port}"
    for origin in (FRIEND, own):
        async with connected(served, token=browser.token, origin=Origin(origin)) as socket:
            await socket.say(id="1", type="subscribe", payload={"query": "{ viewer { accountId } }"})
            assert (await socket.hear())["payload"]["data"] == {"viewer": {"accountId": people.client.account_id}}
    async with connected(served, init=False, origin=Origin(STRANGER)) as socket:
        await socket.say(type="connection_init", payload={"authorization": f"Bearer {browser.token}"})
        code, reason = await socket.closed()
        assert code == 4403
        assert "not for pages of" in reason
    served.door.allowed_origins = frozenset({STRANGER})
    async with connected(served, init=False, origin=Origin(STRANGER)) as socket:
        await socket.say(type="connection_init", payload={"authorization": f"Bearer {browser.token}"})
        assert (await socket.closed())[0] == 4403, "which pages use it is the session's to say"


async def test_an_event_stream_of_another_page_is_refused_like_any_request(served: Served) -> None:
    browser = await session(served.people.client, origins=[FRIEND])
    headers = {"authorization": f"Bearer {browser.token}", "accept": "text/event-stream"}
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as http:
        refused = await http.post(served.url, json={"query": EVENTS}, headers=headers | {"origin": STRANGER})
    assert refused.status_code == 403
    async with opened(served, EVENTS, token=browser.token, origin=FRIEND) as stream:
        assert stream.response.headers["access-control-allow-origin"] == FRIEND


async def test_a_socket_says_what_looks_like_a_session_is_one_only_as_authorization(served: Served) -> None:
    """Whoever shows one must not be taken for somebody without."""
    browser = await session(served.people.client)
    async with connected(served, init=False) as socket:
        await socket.say(type="connection_init", payload={"mine": browser.token})
        code, reason = await socket.closed()
    assert code == 4400
    assert (browser.token or "") not in reason
