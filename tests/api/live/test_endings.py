"""Streams end with the key that they hang on, at the very place in the log where the key ended; and with their document."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import pytest_asyncio

from escrow import database as db
from escrow import documents, ids, log, pipeline
from escrow.access import Role
from escrow.accounts import commands
from escrow.accounts.authentication import Life, authenticate, lives
from escrow.ids import Kind
from escrow.live.hub import Hub
from schema.engine import parsing
from schema.engine.execution import TAKEN_BACK
from schema.error_codes import coded
from tests.api.client import Caller, with_key
from tests.api.live.serving import Served, serve
from tests.api.live.socket import connected
from tests.api.live.sse import opened
from tests.patience import PATIENCE_SECONDS

EVENTS = "subscription { events { type } }"
CREDENTIALS_ENDED = (4401, "The key was revoked or has expired.")
RIGHTS_CHANGED = (1001, "What this key may see has changed; connect again.")


@pytest_asyncio.fixture(loop_scope="session")
async def watchful(database: str, redis_url: str) -> AsyncIterator[Served]:
    """The application with a hub that looks at the keys all the time."""
    async with serve(redis_url, hub=Hub(poll_seconds=0.05, look_seconds=0.05)) as one:
        yield one


async def _key_id(caller: Caller) -> str:
    actor = await authenticate(caller.token or "")
    assert actor is not None
    assert actor.key_id is not None
    return actor.key_id


async def _revoke(served: Served, caller: Caller) -> None:
    await pipeline.run(commands.RevokeApiKey(key_id=await _key_id(caller)), by=served.people.deployment.operator)


async def test_a_revoked_key_closes_its_streams_before_the_next_event(served: Served) -> None:
    people = served.people
    deal = await people.deployment.propose()
    other = await with_key(people.client.http, people.deployment.client, people.deployment.operator)
    async with (
        connected(served, token=people.client.token) as revoked,
        connected(served, token=people.client.token) as idle,
        connected(served, token=other.token) as good,
        opened(served, EVENTS, token=people.client.token) as stream,
    ):
        await revoked.subscribe(EVENTS)
        await good.subscribe(EVENTS)
        await served.readers(3)
        await _revoke(served, people.client)
        await deal.accept()
        assert await revoked.closed() == CREDENTIALS_ENDED
        assert await idle.closed() == CREDENTIALS_ENDED
        said = await stream.hear()
        assert said.data["errors"][0]["extensions"] == coded("UNAUTHENTICATED", closeCode=4401)
        assert "data" not in said.data
        assert (await stream.hear()).event == "complete"
        await stream.ended()
        assert [(await good.event())["type"] for _ in range(2)] == ["key.revoked", "contract.accepted"]
    await served.nobody()
    assert not served.door.hub.keys.viewers


async def test_nothing_that_came_after_the_revocation_is_said(database: str, redis_url: str) -> None:
    """Both are in the log before the hub looks, so that only their order tells."""
    async with serve(redis_url, sequencing=False) as served:
        deal = await served.people.deployment.propose()
        async with connected(served, token=served.people.client.token) as socket:
            await socket.subscribe(EVENTS)
            await served.readers(1)
            await _revoke(served, served.people.client)
            await deal.accept()
            await log.sequence()
            assert await socket.all_until_closed() == ([], CREDENTIALS_ENDED)


async def test_a_membership_that_ended_closes_the_streams_of_the_members_keys(served: Served) -> None:
    people, deployment = served.people, served.people.deployment
    member_id = ids.new(Kind.MEMBER)
    member = commands.AddMember(
        account_id=people.client.account_id, member_id=member_id, person="ann@example.com", name="Ann", role=Role.VIEWER
    )
    await pipeline.run(member, by=deployment.operator)
    of_member = await with_key(people.client.http, deployment.client, deployment.operator, member_id=member_id)
    deal = await deployment.propose()
    async with connected(served, token=of_member.token) as socket:
        await socket.subscribe(EVENTS)
        await served.readers(1)
        await deal.accept()
        assert (await socket.event())["type"] == "contract.accepted"
        await pipeline.run(commands.RemoveMember(member_id=member_id), by=deployment.operator)
        assert await socket.closed() == CREDENTIALS_ENDED


async def test_an_expired_key_closes_its_streams_by_itself(watchful: Served) -> None:
    people = watchful.people
    async with connected(watchful, token=people.client.token) as socket:
        await socket.subscribe(EVENTS)
        await watchful.readers(1)
        await db.execute(
            "UPDATE api_keys SET expires_at = clock_timestamp() + interval '0.3 seconds' WHERE id = $1",
            await _key_id(people.client),
        )
        assert await socket.closed() == CREDENTIALS_ENDED


async def test_no_event_goes_out_after_the_keys_expiry_also_between_two_looks(database: str, redis_url: str) -> None:
    async with serve(redis_url, hub=Hub(look_seconds=3_600.0)) as served:
        deal = await served.people.deployment.propose()
        short = await _with_expiry(served)
        async with connected(served, token=short.token) as socket:
            await socket.subscribe(EVENTS)
            await served.readers(1)
            await served.looked()  # else it would find out once more how long the key lives
            for viewer in served.door.hub.keys.viewers[await _key_id(short)]:
                assert viewer.ends_at is not None
                viewer.ends_at = time.monotonic()  # its hour has passed
            await deal.accept()
            assert await socket.all_until_closed() == ([], CREDENTIALS_ENDED)


async def _with_expiry(served: Served) -> Caller:
    """Somebody whose key ends in an hour."""
    caller = await with_key(
        served.people.client.http, served.people.deployment.client, served.people.deployment.operator
    )
    expires_at = datetime.now(UTC) + timedelta(hours=1)
    await db.execute("UPDATE api_keys SET expires_at = $2 WHERE id = $1", await _key_id(caller), expires_at)
    return caller


async def test_a_key_that_ends_while_its_connection_begins_gets_no_stream(served: Served) -> None:
    people = served.people
    async with connected(served, token=people.client.token) as socket:
        await db.execute(
            "UPDATE api_keys SET expires_at = clock_timestamp() WHERE id = $1", await _key_id(people.client)
        )
        served.door.authentication.keys.forget()  # no key is given another expiry but by a statement such as this
        await socket.subscribe(EVENTS)
        assert await socket.closed() == CREDENTIALS_ENDED
    assert served.door.hub.readers == 0


async def test_a_disabled_account_reads_on(served: Served) -> None:
    people, deployment = served.people, served.people.deployment
    async with connected(served, token=people.client.token) as socket:
        await socket.subscribe(EVENTS)
        await served.readers(1)
        await pipeline.run(commands.DisableAccount(account_id=people.client.account_id), by=deployment.operator)
        assert (await socket.event())["type"] == "account.disabled"
        await socket.silent()


async def test_streams_of_a_mediator_begin_anew_when_it_is_dismissed_or_appointed(served: Served) -> None:
    """With a code after which clients come back by themselves: the key is as good as before."""
    people, deployment = served.people, served.people.deployment
    mediator_id = people.mediator.account_id
    deal = await deployment.fund()
    async with (
        connected(served, token=people.mediator.token) as socket,
        opened(served, EVENTS, token=people.mediator.token) as stream,
        connected(served, token=people.client.token) as other,
    ):
        await socket.subscribe(EVENTS)
        await other.subscribe(EVENTS)
        await served.readers(3)
        await pipeline.run(commands.DismissMediator(account_id=mediator_id), by=deployment.operator)
        await deal.open_dispute()
        assert await socket.all_until_closed() == ([], RIGHTS_CHANGED)
        said = await stream.hear()
        assert said.data["errors"][0]["extensions"] == coded("GOING_AWAY", closeCode=1001)
        assert (await other.event())["type"] == "dispute.opened"
    async with connected(served, token=people.mediator.token) as again:
        await again.subscribe(EVENTS)
        await served.readers(1)
        await pipeline.run(commands.AppointMediator(account_id=mediator_id), by=deployment.operator)
        assert await again.all_until_closed() == ([], RIGHTS_CHANGED)


async def test_a_mediator_that_is_dismissed_while_its_stream_begins_is_told_to_begin_anew(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    mediator = served.people.mediator

    async def looked(credentials: Collection[str]) -> dict[str, Life]:
        """The last look before the stream: what authenticated it was read before."""
        await db.execute("UPDATE accounts SET is_mediator = false WHERE id = $1", mediator.account_id)
        return await lives(credentials)

    monkeypatch.setattr("escrow.live.key_lifetimes.lives", looked)
    async with connected(served, init=False) as socket:
        await socket.say(type="connection_init", payload={"Authorization": f"Bearer {mediator.token}"})
        assert await socket.closed() == RIGHTS_CHANGED
    await db.execute("UPDATE accounts SET is_mediator = true WHERE id = $1", mediator.account_id)
    served.door.authentication.keys.forget()
    headers = {"authorization": f"Bearer {mediator.token}", "accept": "text/event-stream"}
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as http:
        answer = await http.post(served.url, json={"query": EVENTS}, headers=headers)
    assert answer.status_code == 503
    assert answer.json()["errors"][0]["extensions"]["code"] == "GOING_AWAY"
    assert served.door.hub.readers == 0


async def test_a_stream_whose_document_is_taken_back_ends_and_its_connection_goes_on(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parsing, "REGISTERED_SECONDS", -1.0)  # nothing is believed without asking
    people, identifier = served.people, await documents.add("events.graphql", EVENTS)
    deal = await people.deployment.propose()
    failed = [{"message": TAKEN_BACK, "extensions": coded("DOCUMENT_NOT_FOUND")}]
    async with (
        connected(served, token=people.client.token) as socket,
        opened(served, None, token=people.client.token, document_id=identifier) as stream,
    ):
        await socket.say(id="by identifier", type="subscribe", payload={"documentId": identifier})
        by_text = await socket.subscribe(EVENTS)
        await served.readers(3)
        await documents.remove(identifier)
        await deal.accept()
        said = {message["id"]: message for message in (await socket.hear(), await socket.hear())}
        assert said["by identifier"] == {"id": "by identifier", "type": "error", "payload": failed}
        assert said[by_text]["payload"] == {"data": {"events": {"type": "contract.accepted"}}}
        assert (await stream.hear()).data == {"errors": failed}
        assert (await stream.hear()).event == "complete"
        await stream.ended()
        await served.readers(1)
        await deal.fund()
        assert (await socket.event())["type"] == "deposit.started"
