"""Answers of streams that turn out dear are made in the annex, all are paid for, and one account has only so many streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio

from api.live.open_streams import Patience
from api.rates.budgets import Rates
from escrow import documents
from escrow.annex import Annex
from escrow.turns import UNDER_WAY_MAX
from schema.engine import costs, parsing
from schema.engine.execution import TAKEN_BACK, Runner
from schema.error_codes import coded
from tests.api.live.serving import Served, serve
from tests.api.live.socket import connected

PLAN = 200
UPDATED = """subscription ($id: ID!) { contractUpdated(id: $id) {
    state milestones { id allowedActions { action allowed reason { code } } } } }"""
EVENTS = "subscription ($after: Cursor) { events(after: $after) { type cursor } }"


@pytest_asyncio.fixture(loop_scope="session")
async def annexed(database: str, redis_url: str) -> AsyncIterator[Served]:
    """Served with an annex, as the application is that starts by itself."""
    async with serve(redis_url) as served, served.door.with_annex(database):
        yield served


async def test_an_answer_of_long_lists_is_made_in_the_annex_from_the_second_on(
    annexed: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    run = Annex.run

    async def running(self: Annex, work: Any, *, owner: Any) -> Any:
        seen.append(owner)
        return await run(self, work, owner=owner)

    monkeypatch.setattr(Annex, "run", running)
    client = annexed.people.client
    deal = await annexed.people.deployment.propose(*["10.00"] * PLAN)
    async with connected(annexed, token=client.token) as socket:
        await socket.subscribe(UPDATED, {"id": deal.id})
        await annexed.readers(1)
        await deal.accept()
        here = (await socket.data())["contractUpdated"]
        assert (here["state"], len(here["milestones"]), seen) == ("ACTIVE", PLAN, [])
        await deal.fund()
        there = (await socket.data())["contractUpdated"]
        assert seen == [client.account_id]
        asked = await client.ask(
            UPDATED.replace("subscription", "query").replace("contractUpdated", "contract"), {"id": deal.id}
        )
        assert there == asked["contract"]


async def test_a_dear_stream_ends_with_its_document_too(annexed: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "REGISTERED_SECONDS", -1.0)  # nothing is believed without asking
    identifier = await documents.add("updated.graphql", UPDATED)
    deal = await annexed.people.deployment.propose(*["10.00"] * PLAN)
    async with connected(annexed, token=annexed.people.client.token) as socket:
        await socket.say(id="1", type="subscribe", payload={"documentId": identifier, "variables": {"id": deal.id}})
        await annexed.readers(1)
        await deal.accept()
        assert (await socket.data())["contractUpdated"]["state"] == "ACTIVE"
        await documents.remove(identifier)
        await deal.fund()
        failed = {"message": TAKEN_BACK, "extensions": coded("DOCUMENT_NOT_FOUND")}
        assert await socket.hear() == {"id": "1", "type": "error", "payload": [failed]}


async def test_replays_are_paid_for_event_by_event_and_wait_where_nothing_is_left(annexed: Served) -> None:
    client = annexed.people.client
    for _ in range(20):
        await annexed.people.deployment.propose("1.00")
    annexed.door.rates = rates = Rates(0.001)  # restores next to nothing while the test lasts
    actor = await annexed.door.actor(f"Bearer {client.token}", "127.0.0.1")
    budget = rates.budget(actor, "127.0.0.1")
    assert budget is not None
    async with connected(annexed, token=client.token) as socket:
        await socket.subscribe(EVENTS, {"after": "cur_0000000000000"})
        for _ in range(20):
            await socket.event()
        each = costs.ANSWER + costs.FRAME
        opened = 2 * costs.MESSAGE + costs.OPERATION + costs.SUBSCRIBED
        assert budget.lacks(budget._rate.capacity - opened - 20 * each)
        budget.charge(budget._rate.capacity)
        await socket.subscribe(EVENTS, {"after": "cur_0000000000000"})
        refused = await socket.hear()
        while refused["type"] == "next":
            refused = await socket.hear()
        assert refused["payload"][0]["extensions"]["code"] == "RATE_LIMITED"


async def test_an_account_has_only_so_many_streams_however_many_connections(database: str, redis_url: str) -> None:
    async with serve(redis_url, patience=Patience(streams_max=3)) as served:
        client = served.people.client
        async with connected(served, token=client.token) as first, connected(served, token=client.token) as second:
            for socket in (first, first, second):
                await socket.subscribe(EVENTS)
            await served.readers(3)
            await second.subscribe(EVENTS)
            refused = await second.hear()
            assert refused["type"] == "error"
            assert refused["payload"][0]["extensions"]["code"] == "RATE_LIMITED"
            body = orjson.dumps({"query": EVENTS})
            headers = {
                "authorization": f"Bearer {client.token}", "content-type": "application/json", "accept": "text/event-stream",
            }  # fmt: skip
            answer = await client.http.post("/graphql", content=body, headers=headers)
            assert answer.status_code == 429
            await first.say(id="1", type="complete")
            await served.readers(2)
            await second.subscribe(EVENTS)
            await served.readers(3)


async def test_of_hundreds_of_operations_at_once_only_some_are_under_way(
    annexed: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes after them waits for those, and not for all of them."""
    under_way, most = 0, 0
    execute = Runner._execute

    async def executing(self: Runner, *given: Any, **named: Any) -> Any:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        try:
            await asyncio.sleep(0)
            return await execute(self, *given, **named)
        finally:
            under_way -= 1

    monkeypatch.setattr(Runner, "_execute", executing)
    token = annexed.people.client.token
    async with connected(annexed, token=token) as first, connected(annexed, token=token) as second:
        for socket in (first, second):
            for _ in range(100):
                await socket.subscribe("{ viewer { role } }")
        for socket in (first, second):
            done = 0
            while done < 100:
                done += (await socket.hear())["type"] == "complete"
    assert 1 < most <= UNDER_WAY_MAX


@pytest.mark.parametrize("depth", [300, 900])
async def test_what_is_nested_deeper_than_can_be_printed_is_no_fault_of_ours(annexed: Served, depth: int) -> None:
    deep = "[" * depth + "]" * depth
    await annexed.people.deployment.propose("1.00")
    async with connected(annexed, token=annexed.people.client.token) as socket:
        text = f'{{"id": "1", "type": "subscribe", "payload": {{"query": "{EVENTS}", "variables": {{"x": {deep}}}}}}}'
        await socket.connection.send(text)
        await annexed.readers(1)
        await annexed.people.deployment.propose("1.00")
        assert (await socket.event())["type"] == "contract.proposed"
    async with connected(annexed, token=annexed.people.client.token) as socket:
        await socket.connection.send(f'{{"type": "ping", "payload": {{"x": {deep}}}}}')
        code, reason = await socket.closed()
        assert (code, "nested too deeply" in reason) == (4400, True)
