"""Requests as they arrive: headers, bodies, and the straight way past the router, on which all is as it is on the long one."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from starlette.types import Message, Scope

from api.app import create_app
from api.arrivals import Arrival, Gone
from escrow.settings import PaymentProvider, Settings
from tests.factories import SECRET_KEY

HTTP: Scope = {"type": "http", "method": "POST", "headers": [(b"accept", b"a"), (b"accept", b"b"), (b"x", b"\xe9")]}


def _arrival(*messages: Message) -> Arrival:
    waiting = list(messages)

    async def receive() -> Message:
        return waiting.pop(0)

    return Arrival(HTTP, receive)


def _body(body: bytes, *, more: bool) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def test_of_several_headers_with_one_name_the_first_counts() -> None:
    arrival = _arrival()
    assert arrival.header(b"accept") == "a"
    assert arrival.header(b"x") == "é"
    assert arrival.header(b"origin") is None


@pytest.mark.parametrize(
    ("length", "announced"), [(None, 0), (b"12", 12), (b"0", 0), (b"-1", 0), (b"", 0), (b"12, 12", 0), (b"\xb2", 0)]
)
@pytest.mark.parametrize(("client", "address"), [(("192.0.2.1", 5), "192.0.2.1"), (None, "")])
def test_where_a_request_comes_from_and_how_long_it_is_to_be_is_found_once(
    length: bytes | None, announced: int, client: tuple[str, int] | None, address: str
) -> None:
    scope: Scope = {"method": "POST", "headers": [(b"content-length", length)] if length is not None else []}
    if client is not None:
        scope["client"] = client

    async def receive() -> Message:
        raise AssertionError("nobody asked for the body")

    arrival = Arrival(scope, receive)
    scope["client"], scope["headers"] = ("203.0.113.9", 1), [(b"content-length", b"99")]
    assert (arrival.address, arrival.announced_bytes) == (address, announced)


async def test_a_body_is_read_to_its_end_and_no_further_than_it_may_go() -> None:
    assert await _arrival(_body(b"ab", more=True), {"type": "http.request"}).body(2) == b"ab"
    assert await _arrival(_body(b"ab", more=True), _body(b"c", more=True)).body(2) is None


async def test_a_client_that_goes_in_the_middle_of_its_body_has_gone() -> None:
    with pytest.raises(Gone):
        await _arrival(_body(b"ab", more=True), {"type": "http.disconnect"}).body(10)


QUERY = b'{"query": "{ __typename }"}'
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("POST", {"content": QUERY, "headers": JSON}),
        ("POST", {"content": QUERY, "headers": JSON | {"accept": "application/graphql-response+json"}}),
        ("POST", {"content": QUERY, "headers": JSON | {"accept": "text/event-stream"}}),
        ("POST", {"content": QUERY, "headers": JSON | {"accept": "image/png"}}),
        ("POST", {"content": QUERY, "headers": {"content-type": "text/plain"}}),
        ("POST", {"content": QUERY, "headers": JSON | {"content-encoding": "gzip"}}),
        ("POST", {"content": QUERY, "headers": JSON | {"authorization": "Basic x"}}),
        ("POST", {"content": b"[]", "headers": JSON}),
        ("POST", {"content": b"{", "headers": JSON}),
        ("GET", {"params": {"query": "{ __typename }"}}),
        ("GET", {"params": {"query": "mutation { __typename }"}}),
        ("HEAD", {}),
        ("PUT", {"content": QUERY, "headers": JSON}),
        ("OPTIONS", {}),
    ],
)
async def test_on_the_straight_way_all_is_answered_as_by_the_router(method: str, said: dict[str, Any]) -> None:
    settings = Settings(
        database_url="", redis_url="", secret_keys=(SECRET_KEY,), payment_provider=PaymentProvider.SANDBOX
    )
    app = create_app(settings)
    answers = []
    for root in ("", "/below"):  # an application that is mounted below a path is found by the router
        transport = httpx.ASGITransport(app=app, root_path=root)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://earnest.test{root}") as http:
            answer = await http.request(method, "/graphql", **said)
        named = {answer.headers.pop("x-trace-id"), answer.headers.pop("x-request-id")}
        assert len(named) == 1
        answers.append((answer.status_code, list(answer.headers.multi_items()), answer.content))
    assert answers[0] == answers[1]
