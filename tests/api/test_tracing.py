"""Trace ids: each line of a request's log has the one that its answer names."""

from __future__ import annotations

import asyncio
import logging

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from api.tracing import Tracing
from escrow import traces
from escrow.traces import PROCESS, trace_id
from tests.api.client import People
from tests.written import written

GIVEN = "0af7651916cd43dd8448eb211c80319c"
_log = logging.getLogger("schema.x")


async def _talkative(_: Scope, __: Receive, send: Send) -> None:
    """An application that logs wherever a request's code may run."""
    _log.info("here")
    await asyncio.sleep(0)
    await asyncio.create_task(_aside())
    await asyncio.to_thread(_log.info, "in a thread")
    logging.getLogger("asyncpg").error("in a library")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": trace_id().encode()})


async def _aside() -> None:
    _log.info("in a task")


async def test_each_line_of_a_request_has_its_trace_id_also_beside_other_requests() -> None:
    transport = httpx.ASGITransport(Tracing(_talkative))
    with written() as log:
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
            answers = await asyncio.gather(*(http.get("/") for _ in range(3)))
        _log.info("afterwards")
    named = [answer.headers["x-trace-id"] for answer in answers]
    assert [answer.text for answer in answers] == named
    *lines, last = (entry for entry in log.entries if entry["logger"] != "httpx")
    for trace in named:
        said = [entry["event"] for entry in lines if entry["trace_id"] == trace]
        assert said == ["here", "in a task", "in a thread", "in a library"]
    assert len(lines) == 12
    assert last["trace_id"] == PROCESS.id


async def test_the_callers_trace_is_the_one_of_the_log() -> None:
    transport = httpx.ASGITransport(Tracing(_talkative))
    with written() as log:
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
            await http.get("/", headers={"traceparent": f"00-{GIVEN}-b7ad6b7169203331-01"})
    assert {entry["trace_id"] for entry in log.entries if entry["logger"] != "httpx"} == {GIVEN}


async def test_a_state_in_several_headers_is_carried_beside_the_trace() -> None:
    found: list[traces.Trace] = []

    async def look(_: Scope, __: Receive, send: Send) -> None:
        found.append(traces.current())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    headers = [("traceparent", f"00-{GIVEN}-b7ad6b7169203331-01"), ("tracestate", "a=1"), ("tracestate", "b=2")]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(Tracing(look)), base_url="http://x") as http:
        await http.get("/", headers=headers)
        await http.get("/", headers=headers[1:])
    assert [(one.id == GIVEN, one.state) for one in found] == [(True, "a=1,b=2"), (False, None)]


async def test_a_failure_that_is_masked_is_in_the_log_under_the_trace_that_the_client_was_told(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("inside")

    monkeypatch.setattr("escrow.accounts.authentication.find", fail)
    with written() as log:
        answer = await people.client.post("{ viewer { role } }")
    (entry,) = (entry for entry in log.entries if entry["level"] == "error")
    assert (entry["logger"], entry["event"]) == ("api.tracing", "request failed")
    assert entry["trace_id"] == answer.json()["errors"][0]["extensions"]["traceId"]
    assert entry["traceback"].endswith("RuntimeError: inside")
