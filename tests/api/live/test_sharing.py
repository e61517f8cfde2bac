"""What many readers cost together: counted, since timings depend on the machine."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

import pytest

from escrow import bell, erasure, log
from escrow.database import counting
from escrow.live import hub, occurrences
from escrow.live.occurrences import Occurrence
from schema.engine import shared_answer, streaming
from schema.engine.execution import Runner
from tests.api.client import with_key
from tests.api.live.serving import Served, serve, settled, until
from tests.api.live.socket import Socket, connected

EVENTS = "subscription ($after: Cursor) { events(after: $after) { type cursor } }"
SOCKETS = 20


async def _listening(stack: AsyncExitStack, served: Served, token: str | None, **variables: Any) -> Socket:
    socket = await stack.enter_async_context(connected(served, token=token))
    await socket.subscribe(EVENTS, variables)
    return socket


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often operations were executed for a source event."""
    counted: Counter[str] = Counter()
    execute = Runner._execute

    async def execute_counted(self: Runner, chosen: Any, variables: Any, context: Any, root: Any = None) -> Any:
        if root is not None:
            counted[root.type] += 1
        return await execute(self, chosen, variables, context, root)

    monkeypatch.setattr(Runner, "_execute", execute_counted)
    return counted


async def test_the_same_for_the_same_viewer_is_executed_once_per_event_however_many_wait(
    served: Served, executed: Counter[str]
) -> None:
    people = served.people
    deal = await people.deployment.propose()
    async with AsyncExitStack() as stack:
        sockets = [await _listening(stack, served, people.client.token) for _ in range(SOCKETS)]
        await served.readers(SOCKETS)
        await deal.accept()
        assert len({(await socket.event())["cursor"] for socket in sockets}) == 1
        assert executed == {"contract.accepted": 1}
        cursor = "cur_0000000000000"  # whoever began elsewhere in the log shares what comes now
        late = await _listening(stack, served, people.client.token, after=cursor)
        for _ in range(6):
            await late.event()
        executed.clear()
        other = await _listening(stack, served, people.freelancer.token)
        await served.readers(SOCKETS + 2)
        await deal.fund()
        for socket in (*sockets, late, other):
            assert (await socket.event())["type"] == "deposit.started"
        assert executed == {"deposit.started": 2}
        assert len(served.door.runner._groups) == 2
    await served.readers(0)
    assert len(served.door.runner._groups) == 0


async def test_one_socket_hears_for_all_who_ask_the_same_and_whoever_leaves_takes_nothing_from_the_others(
    served: Served,
) -> None:
    people, hears = served.people, served.door.hub
    async with AsyncExitStack() as stack:
        there = [await stack.enter_async_context(AsyncExitStack()) for _ in range(SOCKETS)]
        sockets = [await _listening(one, served, people.client.token) for one in there]
        await served.readers(SOCKETS)
        await until(lambda: sum(len(readers) for readers in hears._readers.values()) == 1)
        while sockets:
            for _ in range(2):
                await people.deployment.propose("10.00")
            leaves = len(sockets) // 2
            sockets.pop(leaves)
            await there.pop(leaves).aclose()
            await people.deployment.propose("10.00")
            for socket in sockets:
                said = [await socket.event() for _ in range(6)]
                assert [one["type"] for one in said] == ["contract.proposed", "milestone.added"] * 3
                assert len({one["cursor"] for one in said}) == len(said)
    await served.readers(0)


async def test_no_task_is_woken_for_an_answer_that_can_go_out_at_once(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[streaming.Stream] = []
    following = streaming.Stream.next

    async def next_(self: streaming.Stream) -> streaming.Payload:
        asked.append(self)
        return await following(self)

    monkeypatch.setattr(streaming.Stream, "next", next_)
    people = served.people
    deal = await people.deployment.propose()
    async with AsyncExitStack() as stack:
        sockets = [await _listening(stack, served, people.client.token) for _ in range(SOCKETS)]
        await served.readers(SOCKETS)
        await deal.accept()
        await deal.fund()
        for socket in sockets:
            assert [(await socket.event())["type"] for _ in range(2)] == ["contract.accepted", "deposit.started"]
    assert asked == []


async def test_the_first_of_a_group_may_leave_in_the_middle_and_the_others_still_hear(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = served.people
    deal = await people.deployment.propose()
    begun, go_on = asyncio.Event(), asyncio.Event()
    execute = Runner._execute

    async def slowly(self: Runner, chosen: Any, variables: Any, context: Any, root: Any = None) -> Any:
        if root is not None:
            begun.set()
            await go_on.wait()
        return await execute(self, chosen, variables, context, root)

    monkeypatch.setattr(Runner, "_execute", slowly)
    async with AsyncExitStack() as stack:
        first = await _listening(stack, served, people.client.token)
        await served.readers(1)
        second = await _listening(stack, served, people.client.token)
        await served.readers(2)
        await deal.accept()
        await begun.wait()
        await first.say(id="1", type="complete")
        await served.readers(1)
        go_on.set()
        assert (await second.event())["type"] == "contract.accepted"
        await first.silent()


async def test_words_that_were_erased_are_not_said_again_to_whoever_replays(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = "subscription ($after: Cursor) { events(after: $after) { type texts { field value } } }"
    people = served.people
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(connected(served, token=people.client.token)) for _ in range(3)]
        for socket in sockets[:2]:
            await socket.subscribe(query)
        await served.readers(2)
        deal = await people.deployment.propose("10.00")
        for socket in sockets[:2]:
            said = await socket.event()
            assert said["type"] == "contract.proposed"
            assert all(text["value"] is not None for text in said["texts"])
        await erasure.erase(deal.id)
        monkeypatch.setattr(hub, "WINDOW_SECONDS", 0.0)
        monkeypatch.setattr(shared_answer, "ANSWERS_KEPT_SECONDS", 0.0)
        await until(lambda: not served.door.hub._window)
        await sockets[2].subscribe(query, {"after": "cur_0000000000000"})
        while (replayed := await sockets[2].event())["type"] != "contract.proposed":
            pass
        assert replayed["texts"]
        assert all(text["value"] is None for text in replayed["texts"])


async def test_an_event_is_read_from_the_database_once_however_many_viewers_read_it(
    database: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    following = occurrences.following

    async def counted(*, after: int, limit: int) -> list[Occurrence]:
        found = await following(after=after, limit=limit)
        read.extend(one.event.type for one in found)
        return found

    monkeypatch.setattr(occurrences, "following", counted)
    async with AsyncExitStack() as stack:
        statements = stack.enter_context(counting())  # of the served application, too
        # Nobody asks again and again: who waits for longer would count more.
        quiet = hub.Hub(look_seconds=3_600.0)
        served = await stack.enter_async_context(serve(redis_url, hub=quiet, sequencing=False))
        people = served.people
        deal = await people.deployment.propose()
        sockets = []
        for number in range(SOCKETS):
            whose = people.deployment.freelancer if number % 2 else people.deployment.client
            caller = await with_key(people.client.http, whose, people.deployment.operator)
            sockets.append(await _listening(stack, served, caller.token))
        await served.readers(SOCKETS)
        await served.looked()
        await log.sequence()
        last = await log.last_position()
        await until(lambda: quiet.position == last)
        statements.clear()
        read.clear()
        await deal.accept()
        await log.sequence()
        for socket in sockets:
            while (await socket.event())["type"] != "contract.accepted":
                pass
        assert read == ["contract.accepted"]
        others = [one for one in statements if one != occurrences._FOLLOWING]
        assert [one for one in others if "log_positions" in one and "INSERT" not in one] == []
        assert len(others) < SOCKETS  # the command's and the sequencer's: none of a reader's


async def test_one_subscription_to_redis_serves_the_whole_process(served: Served) -> None:
    async with AsyncExitStack() as stack:
        before = len(bell._room.listeners)
        for _ in range(SOCKETS):
            await _listening(stack, served, served.people.client.token)
        await served.readers(SOCKETS)
        assert len(bell._room.listeners) == before + 1
        assert sum(task.get_name() == "bell" for task in asyncio.all_tasks()) == 1


async def test_while_nobody_is_connected_nothing_is_asked_of_the_database(served: Served) -> None:
    async with connected(served, token=served.people.client.token) as socket:
        await socket.subscribe(EVENTS)
        await served.readers(1)
        assert served.door.hub._task is not None
    await until(lambda: served.door.hub._task is None)
    async with connected(served, token=served.people.client.token) as socket:
        await socket.subscribe(EVENTS)
        await served.readers(1)
        await served.people.deployment.propose()
        assert (await socket.event())["type"] == "contract.proposed"


async def test_streams_go_on_by_polling_while_redis_is_away(database: str) -> None:
    async with serve(None) as served, connected(served, token=served.people.client.token) as socket:
        await settled()
        await socket.subscribe(EVENTS)
        await served.readers(1)
        for _ in range(3):
            await served.people.deployment.propose("10.00")
            assert [(await socket.event())["type"] for _ in range(2)] == ["contract.proposed", "milestone.added"]
