"""Answers in one piece: as uvicorn would write them, in their order, and never with a header that is none."""

from __future__ import annotations

import asyncio
import logging
from typing import cast

import pytest
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from earnest.run import whole
from tests.earnest.run.test_guard import LONG, served


class _Transport:
    """Takes what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.written.append(b"(closed)")


def _cycle(*, keep_alive: bool = True) -> tuple[RequestResponseCycle, list[bytes]]:
    transport = _Transport()
    as_asyncio = cast("asyncio.Transport", transport)
    log = logging.getLogger("uvicorn.error")
    cycle = RequestResponseCycle(
        scope={"type": "http", "method": "POST"},  # type: ignore[typeddict-item] # all that is looked at
        transport=as_asyncio,
        flow=FlowControl(as_asyncio),
        logger=log,
        access_logger=log,
        access_log=False,
        default_headers=[(b"date", b"today")],
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=keep_alive,
        on_response=lambda: transport.written.append(b"(answered)"),
    )
    return cycle, transport.written


@pytest.mark.parametrize("keep_alive", [True, False])
async def test_it_is_written_as_uvicorn_writes_it(keep_alive: bool) -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"2")]
    ours, written = _cycle(keep_alive=keep_alive)
    assert whole.answer(ours.send, 200, headers, b"hi")
    theirs, expected = _cycle(keep_alive=keep_alive)
    await theirs.send({"type": "http.response.start", "status": 200, "headers": headers})
    await theirs.send({"type": "http.response.body", "body": b"hi", "more_body": False})
    assert b"".join(written) == b"".join(expected)
    assert ours.response_complete
    assert not whole.answer(ours.send, 200, headers, b"hi"), "it was answered already"


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b", b"a\nb", b"a\rb", b"a\0b"])
async def test_a_header_that_breaks_out_of_its_line_is_left_to_uvicorn_which_refuses_it(value: bytes) -> None:
    cycle, written = _cycle()
    headers = [(b"content-length", b"0"), (b"x", value)]
    assert not whole.answer(cycle.send, 200, headers, b"")
    assert written == []
    with pytest.raises(RuntimeError, match="header value"):
        await cycle.send({"type": "http.response.start", "status": 200, "headers": headers})


async def test_somebody_in_between_gets_to_see_the_answer() -> None:
    async def between(_: object) -> None:
        raise AssertionError("nothing is sent here")

    assert not whole.answer(between, 200, [], b"")


async def test_requests_one_behind_the_other_are_answered_in_their_order() -> None:
    bodies = [b'{"query": "{ %s: __typename }"}' % name for name in (b"a", b"b", b"c")]
    head = b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%b\r\n%b"
    async with served(LONG) as there:
        line = await there.line()
        last = b"connection: close\r\n"
        await line.say(b"".join(head % (len(one), last if one is bodies[-1] else b"", one) for one in bodies))
        answers = [await line.answer() for _ in bodies]
        rest = await line.end()
    assert [answer.rpartition(b"\r\n\r\n")[2] for answer in answers] == [
        b'{"data":{"%s":"Query"}}' % name for name in (b"a", b"b", b"c")
    ]
    assert [b"connection: close" in answer for answer in answers] == [False, False, True]
    assert all(b"\r\ndate: " in answer for answer in answers)
    assert rest == b""
