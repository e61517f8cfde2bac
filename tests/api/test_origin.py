"""Pages of other origins: what a browser is told, to whom, and that keys are for pages of origins that the operator named."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from api.live.door import Door
from api.origin import Page, page_of
from schema.build import runner
from tests.api.client import People, door

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


OTHERS = [STRANGER, "null", f"{FRIEND}.evil.example", f"{FRIEND}:8443", "http://app.example.com"]


@pytest.mark.parametrize("origin", OTHERS)
async def test_another_origin_is_told_nothing_but_that_answers_differ(http: httpx.AsyncClient, origin: str) -> None:
    answer = await http.post("/graphql", json=QUERY, headers={"origin": origin})
    assert _said(answer) == {"vary": "Origin"}


@pytest.mark.parametrize("origin", OTHERS)
async def test_a_preflight_of_any_origin_that_a_session_might_name_is_allowed_since_it_gives_no_rights(
    http: httpx.AsyncClient, origin: str
) -> None:
    """It carries no token: whether a session names the origin is found out when the request comes."""
    preflight = await http.options("/graphql", headers={"origin": origin} | PREFLIGHT)
    if origin == "null":
        assert (preflight.status_code, _said(preflight)) == (405, {"vary": "Origin"})
    else:
        assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (204, origin)
        assert "access-control-allow-credentials" not in preflight.headers
    elsewhere = await http.options("/events.schema.json", headers={"origin": origin} | PREFLIGHT)
    assert (elsewhere.status_code, _said(elsewhere)) == (405, {"vary": "Origin"})


@pytest.mark.parametrize("origin", OTHERS)
async def test_a_key_from_a_page_of_another_origin_is_refused_before_anything_is_done(
    people: People, origin: str
) -> None:
    answer = await people.client.post("mutation { __typename }", origin=origin)
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert "data" not in answer.json()
    assert _said(answer) == {"vary": "Origin"}


@pytest.mark.parametrize(
    "said", [{"origin": "http://earnest.test"}, {"origin": STRANGER, "sec-fetch-site": "same-origin"}]
)
async def test_a_key_from_our_own_page_is_taken_also_where_a_proxy_names_us_otherwise(
    people: People, said: dict[str, str]
) -> None:
    assert (await people.client.post("{ __typename }", None, **said)).status_code == 200


async def test_a_program_without_an_origin_gets_an_answer_that_a_cache_keeps_apart(http: httpx.AsyncClient) -> None:
    assert _said(await http.post("/graphql", json=QUERY)) == {"vary": "Origin"}


async def test_what_every_page_may_read_stays_so(http: httpx.AsyncClient) -> None:
    answer = await http.get("/events.schema.json", headers={"origin": STRANGER})
    assert _said(answer) == {"access-control-allow-origin": "*"}


async def test_without_allowed_origins_nothing_is_said_but_that_answers_differ() -> None:
    async with door() as http:
        answer = await http.post("/graphql", json=QUERY, headers={"origin": FRIEND})
        other = await http.get("/schema.graphql", headers={"origin": FRIEND})
    assert (answer.status_code, _said(answer)) == (200, {"vary": "Origin"})
    assert (other.status_code, _said(other)) == (200, {})


@pytest.mark.parametrize(
    ("origin", "page"),
    [
        (None, None),
        ("http://earnest.test", None),
        ("https://Earnest.Test", None),
        ("https://escrow.example.com", None),
        (FRIEND, Page(FRIEND, is_allowed=True)),
        (FRIEND.upper(), Page(FRIEND.upper(), is_allowed=True)),
        (STRANGER, Page(STRANGER, is_allowed=False)),
        ("null", Page("null", is_allowed=False)),
        ("", Page("", is_allowed=False)),
        ("http://[", Page("http://[", is_allowed=False)),
        ("http://earnest.test:81", Page("http://earnest.test:81", is_allowed=False)),
    ],
)
def test_a_page_is_of_another_origin_unless_it_is_of_our_address(origin: str | None, page: Page | None) -> None:
    the_door = Door(
        runner=runner(), allowed_origins=frozenset({FRIEND}), own_origins=frozenset({"https://escrow.example.com"})
    )
    headers = {"host": "earnest.test"} | ({"origin": origin} if origin is not None else {})
    assert page_of(headers.get, the_door) == page
