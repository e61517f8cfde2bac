"""A program's request goes a short way past what stands around pages, and nobody sees it by the answer."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from api import tracing
from tests.api.client import People, door

OF_OUR_PAGE = {"origin": "http://earnest.test", "sec-fetch-site": "same-origin"}
"""What a browser sends for a page of our own address: such a request goes the long way."""

VIEWER = '{"query": "{ viewer { accountId scopes } }"}'
OF_EACH_REQUEST = ("x-trace-id", "date")


def _headers(answer: httpx.Response) -> list[tuple[str, str]]:
    return sorted((name, value) for name, value in answer.headers.multi_items() if name not in OF_EACH_REQUEST)


def _body(answer: httpx.Response) -> Any:
    """The answer, but for the trace that it names."""
    return json.loads(answer.text.replace(answer.headers["x-trace-id"], "…"))


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (VIEWER, {}),
        (VIEWER, {"accept": "application/graphql-response+json"}),
        (VIEWER, {"accept": "text/html"}),
        (VIEWER, {"content-type": "text/plain"}),
        (VIEWER, {"authorization": "Bearer ek_nobody"}),
        (VIEWER, {"x-request-id": "mine"}),
        ('{"query": "{ nothing }"}', {}),
        ('{"query": "{ viewer', {}),
        ('{"query": "subscription { events { cursor } }"}', {}),
        ("", {}),
    ],
)
async def test_both_ways_answer_the_same(people: People, content: str, headers: dict[str, str]) -> None:
    given = {"content-type": "application/json", "authorization": f"Bearer {people.client.token}", "x-request-id": "r"}
    async with door() as http:
        short = await http.post("/graphql", content=content, headers=given | headers)
        long = await http.post("/graphql", content=content, headers=given | headers | OF_OUR_PAGE)
    assert (short.status_code, _headers(short)) == (long.status_code, _headers(long)), short.text
    assert _body(short) == _body(long)


async def test_both_ways_are_counted_and_fail_alike(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("inside")

    def failed() -> float:
        values = tracing.REQUESTS.figure().values
        return sum(one.value for one in values if dict(one.labels) == {"place": "graphql", "status": "500"})

    monkeypatch.setattr("escrow.accounts.authentication.find", fail)
    before = failed()
    short = await people.client.post("{ viewer { accountId } }")
    long = await people.client.post("{ viewer { accountId } }", None, **OF_OUR_PAGE)
    assert failed() == before + 2
    for answer in (short, long):
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["extensions"]["code"]) == (500, "INTERNAL"), answer.text
        assert error["extensions"]["traceId"] == answer.headers["x-trace-id"]
