"""Pages of other origins: what a browser is told, to whom, and that nothing is said unless the operator named an origin."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.datastructures import Headers

from api.origin import is_foreign
from tests.api.client import door

FRIEND = "https://app.example.com"
STRANGER = "https://elsewhere.example"
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}
QUERY = {"query": "{ __typename }"}
ABOUT_CORS = ("access-control-allow-origin", "access-control-expose-headers", "access-control-allow-headers", "vary")


@pytest_asyncio.fixture(loop_scope="session")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """The application with one origin allowed."""
    async with door(allowed_origins=frozenset({FRIEND})) as client:
        yield client


def _said(answer: httpx.Response) -> dict[str, str]:
    return {name: answer.headers[name] for name in ABOUT_CORS if name in answer.headers}


async def test_a_preflight_of_an_allowed_origin_allows_what_clients_send(http: httpx.AsyncClient) -> None:
    answer = await http.options("/graphql", headers={"origin": FRIEND} | PREFLIGHT)
    assert answer.status_code == 204
    assert not answer.content
    assert answer.headers["access-control-allow-origin"] == FRIEND
    assert answer.headers["access-control-allow-methods"] == "GET, POST"
    assert answer.headers["access-control-allow-headers"] == "authorization,content-type"
    assert answer.headers["vary"] == "Access-Control-Request-Headers, Origin"
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("named", ["a b", "x" * 2_001, "a,,b", "a;b", ""])
async def test_a_preflight_gives_back_nothing_but_names_of_headers(http: httpx.AsyncClient, named: str) -> None:
    asked = {"origin": FRIEND} | PREFLIGHT | {"access-control-request-headers": named}
    answer = await http.options("/graphql", headers=asked)
    assert answer.status_code == 204
    assert "access-control-allow-headers" not in answer.headers


async def test_an_answer_may_be_read_by_a_page_of_an_allowed_origin_with_what_tells_of_limits_and_traces(
    http: httpx.AsyncClient,
) -> None:
    asked: list[dict[str, Any]] = [
        {"json": QUERY},
        {"json": {}},
        {"json": QUERY, "headers": {"authorization": "Bearer ek_nobody"}},
    ]
    for given in asked:
        answer = await http.post("/graphql", **_from(FRIEND, given))
        assert answer.headers["access-control-allow-origin"] == FRIEND
        exposed = answer.headers["access-control-expose-headers"].split(", ")
        assert {"x-trace-id", "retry-after", "ratelimit", "ratelimit-remaining"} <= {*exposed}
        assert answer.headers["vary"] == "Origin"
        assert "access-control-allow-credentials" not in answer.headers


def _from(origin: str, given: dict[str, Any]) -> dict[str, Any]:
    return given | {"headers": given.get("headers", {}) | {"origin": origin}}


async def test_a_fault_of_ours_may_be_read_by_an_allowed_page_too(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("api.graphql_over_http.read_operation", broken)
    answer = await http.post("/graphql", json=QUERY, headers={"origin": FRIEND})
    assert answer.status_code == 500
    assert answer.headers["access-control-allow-origin"] == FRIEND


@pytest.mark.parametrize(
    "origin", [STRANGER, "null", f"{FRIEND}.evil.example", f"{FRIEND}:8443", "http://app.example.com"]
)
async def test_another_origin_is_told_nothing_but_that_answers_differ(http: httpx.AsyncClient, origin: str) -> None:
    preflight = await http.options("/graphql", headers={"origin": origin} | PREFLIGHT)
    assert (preflight.status_code, _said(preflight)) == (405, {"vary": "Origin"})
    answer = await http.post("/graphql", json=QUERY, headers={"origin": origin})
    assert _said(answer) == {"vary": "Origin"}


async def test_a_program_without_an_origin_gets_an_answer_that_a_cache_keeps_apart(http: httpx.AsyncClient) -> None:
    assert _said(await http.post("/graphql", json=QUERY)) == {"vary": "Origin"}


async def test_what_every_page_may_read_stays_so(http: httpx.AsyncClient) -> None:
    answer = await http.get("/events.schema.json", headers={"origin": STRANGER})
    assert _said(answer) == {"access-control-allow-origin": "*"}


async def test_without_allowed_origins_nothing_is_said_at_all() -> None:
    async with door() as http:
        preflight = await http.options("/graphql", headers={"origin": FRIEND} | PREFLIGHT)
        answer = await http.post("/graphql", json=QUERY, headers={"origin": FRIEND})
    assert (preflight.status_code, _said(preflight)) == (405, {})
    assert (answer.status_code, _said(answer)) == (200, {})


@pytest.mark.parametrize(
    ("origin", "foreign"),
    [
        (None, False),
        ("http://earnest.test", False),
        ("https://Earnest.Test", False),
        (FRIEND, False),
        (FRIEND.upper(), False),
        (STRANGER, True),
        ("null", True),
        ("", True),
        ("http://earnest.test:81", True),
    ],
)
def test_a_page_is_foreign_unless_it_is_of_our_address_or_allowed(origin: str | None, foreign: bool) -> None:
    headers = {"host": "earnest.test"} | ({"origin": origin} if origin is not None else {})
    assert is_foreign(Headers(headers), {FRIEND}) is foreign
