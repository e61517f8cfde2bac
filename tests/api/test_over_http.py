"""GraphQL over HTTP: media types, status codes, methods, and what becomes of requests that are none."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from api.requests import BODY_BYTES_MAX
from schema.error_codes import coded
from tests.api.client import People, door

GRAPHQL = "application/graphql-response+json"
JSON = "application/json"
STREAM = "text/event-stream"
TYPENAME = {"query": "{ __typename }"}


async def _post(http: httpx.AsyncClient, content: bytes | str, **headers: str) -> httpx.Response:
    return await http.post("/graphql", content=content, headers={"content-type": JSON} | headers)


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (GRAPHQL, GRAPHQL),
        (f"{GRAPHQL}, {JSON}", GRAPHQL),
        (f"{JSON}, {GRAPHQL}", GRAPHQL),
        (f"{GRAPHQL};q=0.5, {JSON}", JSON),
        (f"{GRAPHQL}; charset=utf-8, {JSON}; charset=utf-8; q=0.9", GRAPHQL),
        (f"{GRAPHQL};q=0, */*", JSON),
        (f"text/html, {JSON};q=0.1", JSON),
        (f"{JSON};q=0, {GRAPHQL};q=0.001", GRAPHQL),
        ("APPLICATION/GRAPHQL-RESPONSE+JSON", GRAPHQL),
        (f"{GRAPHQL}, {JSON}, {STREAM}, multipart/mixed", GRAPHQL),
        (f"{STREAM}, {JSON}", JSON),
        (f"{STREAM}, {GRAPHQL};q=1.0", GRAPHQL),
        (f"{STREAM};q=0.9, */*;q=0.9, {JSON};q=0.9", JSON),
        ("multipart/mixed, */*", JSON),
    ],
)
async def test_the_accept_header_chooses_the_media_type(accept: str | None, media_type: str) -> None:
    async with door() as http:
        http.headers.pop("accept")
        answer = await _post(http, json.dumps(TYPENAME), **({"accept": accept} if accept else {}))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == f"{media_type}; charset=utf-8"
    assert answer.json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize(
    "accept",
    [STREAM, f"{STREAM}, multipart/mixed", f"{STREAM}, */*", f"{JSON};q=0.5, {STREAM}", f"{JSON};q=0, {STREAM}"],
)
async def test_a_query_is_streamed_to_whoever_asks_for_nothing_else_or_for_that_rather(accept: str) -> None:
    async with door() as http:
        answer = await _post(http, json.dumps(TYPENAME), accept=accept)
    assert (answer.status_code, answer.headers["content-type"]) == (200, f"{STREAM}; charset=utf-8")
    assert '"__typename":"Query"' in answer.text


@pytest.mark.parametrize("accept", [f"{GRAPHQL}, {JSON}, {STREAM}, multipart/mixed", f"{JSON}, {STREAM};q=0.1", STREAM])
async def test_a_subscription_is_streamed_to_whoever_takes_streams_at_all(people: People, accept: str) -> None:
    subscription = {"query": "query Q { __typename } subscription S { nothing }", "operationName": "S"}
    async with door() as http:
        invalid = await _post(http, json.dumps(subscription), accept=f"{JSON}, {STREAM}")
        subscription["query"] = "query Q { __typename } subscription S { events { id } }"
        streamed = await _post(http, json.dumps(subscription), accept=accept)
        query = await _post(http, json.dumps(subscription | {"operationName": "Q"}), accept=f"{JSON}, {STREAM}")
    assert invalid.headers["content-type"] == query.headers["content-type"] == f"{JSON}; charset=utf-8"
    assert streamed.headers["content-type"] == f"{STREAM}; charset=utf-8"
    assert streamed.text.startswith(":")
    assert "UNAUTHENTICATED" in streamed.text


@pytest.mark.parametrize("accept", ["text/html", f"{JSON};q=0", f"{JSON}; charset=utf-16", "nonsense"])
async def test_an_answer_that_the_client_takes_in_no_form_is_406(accept: str) -> None:
    async with door() as http:
        answer = await _post(http, json.dumps(TYPENAME), accept=accept)
    assert answer.status_code == 406
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize(
    "request_body",
    [
        {"query": "{"},
        {"query": "{ nothingOfThatName }"},
        {"query": "query ($id: ID!) { __typename node(id: $id) { id } }", "variables": {"id": None}},
        {"query": "query A { __typename } query B { __typename }"},
        {"query": "query A { __typename }", "operationName": "B"},
        {"query": "fragment F on Query { __typename }"},
        {"query": "{ contracts(first: 1.5) { nodes { id } } }"},
    ],
)
async def test_an_operation_that_did_not_run_has_no_data_and_is_400_in_the_newer_media_type(
    request_body: dict[str, Any],
) -> None:
    async with door() as http:
        newer = await _post(http, json.dumps(request_body), accept=GRAPHQL)
        older = await _post(http, json.dumps(request_body), accept=JSON)
    assert (newer.status_code, older.status_code) == (400, 200)
    for answer in (newer, older):
        assert "data" not in answer.json()
        assert {error["extensions"]["code"] for error in answer.json()["errors"]} == {"BAD_REQUEST"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "empty"),
        ('{ "not a JSON', "not JSON"),
        ("\udcff".encode("utf-8", "surrogateescape"), "not JSON"),
        ('{"query": "{ __typename }", "variables": {"a": "\\ud800"}}', "not JSON"),
        ('{"query": "{ __typename }", "variables": {"a": NaN}}', "not JSON"),
        ('[{"query": "{ __typename }"}]', "Batches"),
        ("null", "object"),
        ('"{ __typename }"', "object"),
        ("{}", "`query` is missing"),
        ('{"query": ""}', "empty"),
        ('{"query": 1}', "must be a string, not a number"),
        ('{"query": ["{ __typename }"]}', "must be a string, not an array"),
        ('{"query": "{ __typename }", "variables": []}', "`variables` must be an object, not an array"),
        ('{"query": "{ __typename }", "operationName": {}}', "`operationName` must be a string, not an object"),
        ('{"query": "{ __typename }", "extensions": false}', "`extensions` must be an object, not a boolean"),
        ("[" * 60_000, "not JSON"),
    ],
)
async def test_a_body_that_is_no_request_is_400_and_says_why(content: bytes | str, says: str) -> None:
    async with door() as http:
        answer = await _post(http, content)
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert says in error["message"]
    assert error["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/json; charset=latin-1"],
)
async def test_another_content_type_is_415(content_type: str) -> None:
    async with door() as http:
        answer = await http.post("/graphql", content=json.dumps(TYPENAME), headers={"content-type": content_type})
    assert answer.status_code == 415


async def test_a_body_beyond_the_limit_is_413_whether_its_length_is_told_or_not() -> None:
    async def unannounced() -> Any:
        for _ in range(2 + BODY_BYTES_MAX // 100_000):
            yield b" " * 100_000

    async with door() as http:
        told = await _post(http, b" " * (BODY_BYTES_MAX + 1))
        untold = await http.post("/graphql", content=unannounced(), headers={"content-type": JSON})
    for answer in (told, untold):
        assert answer.status_code == 413
        assert str(BODY_BYTES_MAX) in answer.json()["errors"][0]["message"]


async def test_get_runs_queries_with_variables_and_refuses_mutations(people: People) -> None:
    http = people.client.http
    query = "query Type($name: String!) { __type(name: $name) { name } }"
    answer = await http.get("/graphql", params={"query": query, "variables": '{"name": "Money"}', "operationName": ""})
    assert answer.json() == {"data": {"__type": {"name": "Money"}}}
    refused = await http.get("/graphql", params={"query": "mutation { __typename }"})
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    twice = await http.get("/graphql?query={__typename}&query={__typename}")
    assert twice.status_code == 400
    malformed = await http.get("/graphql", params={"query": query, "variables": "{"})
    assert malformed.status_code == 400


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
async def test_other_methods_are_405(method: str) -> None:
    async with door() as http:
        answer = await http.request(method, "/graphql")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")


async def test_each_answer_names_its_trace_and_keeps_the_callers_names() -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    async with door() as http:
        own = await _post(http, json.dumps(TYPENAME))
        given = await _post(
            http, json.dumps(TYPENAME), **{"traceparent": f"00-{trace}-00f067aa0ba902b7-01", "x-request-id": "job-7"}
        )
        garbage = await _post(http, json.dumps(TYPENAME), **{"traceparent": "00-x-y-01", "x-request-id": "a b\x01"})
    assert len(own.headers["x-trace-id"]) == 32
    assert own.headers["x-request-id"] == own.headers["x-trace-id"]
    assert (given.headers["x-trace-id"], given.headers["x-request-id"]) == (trace, "job-7")
    assert garbage.headers["x-request-id"] == garbage.headers["x-trace-id"] != trace


async def test_the_page_the_schema_and_an_unknown_path() -> None:
    async with door() as http:
        page = await http.get("/about")
        schema = await http.get("/schema.graphql")
        unknown = await http.get("/nothing")
    assert "ADDRESS/graphql" in page.text
    # Else a browser asks for /favicon.ico, and complains that there is none.
    assert 'rel="icon" href="data:,"' in page.text
    assert "img-src data:" in page.headers["content-security-policy"]
    assert "type Contract implements Node" in schema.text
    assert unknown.status_code == 404


async def test_the_page_tells_nothing_that_the_request_said_of_itself() -> None:
    """A cache in front would show it to others: neither host nor path nor a proxy's headers come back."""
    async with door() as http:
        for path in ("/", "/about", "/console"):
            usual = await http.get(path)
            for name in ("host", "x-forwarded-host", "x-forwarded-proto", "forwarded"):
                made_up = await http.get(f"{path}?evil.example", headers={name: "evil.example"})
                assert (made_up.status_code, made_up.text) == (200, usual.text)
                assert not any("evil" in value for value in made_up.headers.values())


async def test_a_document_that_is_only_named_by_its_hash_is_answered_so_that_clients_send_it() -> None:
    named = {"operationName": "Q", "extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}}
    error = {"message": "PersistedQueryNotSupported", "extensions": coded("PERSISTED_QUERY_NOT_SUPPORTED")}
    async with door() as http:
        posted = await _post(http, json.dumps(named), accept=JSON)
        got = await http.get("/graphql", params={"extensions": json.dumps(named["extensions"])})
        sent = await _post(http, json.dumps(named | {"query": "query Q { __typename }"}))
        newer = await _post(http, json.dumps(named), accept=GRAPHQL)
    assert (posted.status_code, got.status_code, newer.status_code) == (200, 200, 400)
    assert posted.json() == got.json() == newer.json() == {"errors": [error]}
    assert sent.json() == {"data": {"__typename": "Query"}}


async def test_what_was_revoked_while_the_body_came_does_nothing(people: People) -> None:
    """A body may take half a minute, and whoever sends it chooses when it ends."""
    deal = await people.deployment.fund("10.00")
    key_id = (await people.client.ask("{ viewer { keyId } }"))["viewer"]["keyId"]
    approve = (
        f'mutation {{ approveMilestone(input: {{milestoneId: "{deal.milestone()}"}}) {{ userErrors {{ code }} }} }}'
    )
    whole = json.dumps({"query": approve}).encode()

    async def slowly() -> AsyncIterator[bytes]:
        yield whole[:10]  # whoever reads this has found out whose key it is
        await people.operator.done("revokeApiKey", {"keyId": key_id}, "apiKey { revokedAt }")
        yield whole[10:]

    headers = {"content-type": JSON, "authorization": f"Bearer {people.client.token}"}
    answer = await people.client.http.post("/graphql", content=slowly(), headers=headers)
    assert answer.status_code == 401
    assert await deal.states() == ["ACTIVE"], "not released"
