"""A web process that is told to stop answers whoever it has let in, and says that nothing more comes on this connection."""

from __future__ import annotations

import asyncio
import socket
from typing import cast

import pytest

from earnest.run import serving
from earnest.run.guard import GuardedConnection
from tests.earnest.run.test_guard import GET, LONG, Served, served


def only_connection(there: Served) -> GuardedConnection:
    (found,) = there.server.server_state.connections
    return cast("GuardedConnection", found)


async def test_whoever_the_kernel_has_let_in_is_answered_though_nobody_accepted_yet() -> None:
    async with served(LONG) as there:
        waiting = [socket.create_connection(("127.0.0.1", there.port)) for _ in range(9)]
        for one in waiting:
            one.sendall(GET)
        await there.server.shutdown()  # its first look is before the loop's
        for one in waiting:
            with one:
                answer = one.recv(10_000)
                assert answer.startswith(b"HTTP/1.1 200"), answer
                assert b"connection: close" in answer
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", there.port))


async def test_a_connection_that_rests_has_one_more_request_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "LINGER_SECONDS", 600.0)
    async with served(LONG) as there:
        line = await there.line()
        await line.say(GET)
        assert b"connection: close" not in await line.answer()
        stopping = asyncio.create_task(there.server.shutdown())
        await asyncio.sleep(0)
        assert there.server.guard.is_stopping
        await line.say(GET)
        answer = await line.answer()
        assert answer.startswith(b"HTTP/1.1 200"), answer
        assert b"connection: close" in answer
        assert await line.end() == b""
        await stopping


async def test_a_connection_that_goes_on_resting_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "LINGER_SECONDS", 0.0)
    async with served(LONG) as there:
        line = await there.line()
        await line.say(GET)
        await line.answer()
        await there.server.shutdown()
        assert await line.end() == b""


@pytest.mark.parametrize("length", [1, len(GET) - 1])
async def test_a_request_of_which_a_part_has_come_is_waited_for(length: int) -> None:
    async with served(LONG) as there:
        line = await there.line()
        await line.say(GET[:length])
        await there.until_there_are(1)
        connection = only_connection(there)
        while not connection._is_in_head:  # noqa: ASYNC110 - nothing rings when a byte is read
            await asyncio.sleep(0.005)
        there.server.guard.is_stopping = True
        connection.shutdown()
        await line.say(GET[length:])
        answer = await line.answer()
        assert answer.startswith(b"HTTP/1.1 200"), answer
        assert await line.end() == b""
