"""Registered documents are asked for by their identifier; where only they are answered, nothing else is."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from api.app import create_app
from escrow import database, documents
from escrow.settings import PaymentProvider, Settings
from tests.api.client import People
from tests.factories import SECRET_KEY

ROLE = "query Role { viewer { role } }"
ANSWER = {"data": {"viewer": {"role": "OWNER"}}}


async def _post(http: httpx.AsyncClient, people: People, **body: Any) -> httpx.Response:
    return await http.post("/graphql", json=body, headers={"authorization": f"Bearer {people.client.token}"})


async def test_a_registered_document_is_answered_by_its_identifier(people: People) -> None:
    http, identifier = people.client.http, await documents.add("role.graphql", ROLE)
    assert (await _post(http, people, documentId=identifier)).json() == ANSWER
    got = await http.get(
        "/graphql", params={"documentId": identifier}, headers={"authorization": f"Bearer {people.client.token}"}
    )
    assert got.json() == ANSWER


async def test_automatic_persisted_queries_find_what_is_registered(people: People) -> None:
    digest = (await documents.add("role.graphql", ROLE)).removeprefix("sha256:")
    by_hash = {"persistedQuery": {"version": 1, "sha256Hash": digest}}
    assert (await _post(people.client.http, people, extensions=by_hash)).json() == ANSWER


@pytest.mark.parametrize(
    "identifier", ["sha256:" + "0" * 64, "sha256:", "sha256:\0", "md5:1", "", "x" * 10_000, "sha256:" + "é" * 64]
)
async def test_an_identifier_of_nothing_is_not_found_and_costs_no_fault(people: People, identifier: str) -> None:
    (error,) = (await _post(people.client.http, people, documentId=identifier)).json()["errors"]
    assert error["extensions"]["code"] == "DOCUMENT_NOT_FOUND"


async def test_what_names_no_document_asks_the_database_nothing(people: People) -> None:
    with database.counting() as statements:
        for identifier in ("sha256:", "sha256:\0", "nonsense"):
            assert await documents.text_of(identifier) is None
    assert statements == []


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "`query` is missing, and so is the `documentId`"),
        ({"query": ROLE, "documentId": "sha256:1"}, "not both"),
        ({"documentId": 1}, "`documentId` must be a string, not a number"),
    ],
)
async def test_what_is_no_way_to_name_a_document_is_refused(people: People, body: dict[str, Any], says: str) -> None:
    answer = await _post(people.client.http, people, **body)
    assert answer.status_code == 400
    assert says in answer.json()["errors"][0]["message"]


async def test_a_deployment_may_answer_registered_documents_alone(people: People) -> None:
    identifier = await documents.add("role.graphql", ROLE)
    settings = Settings(
        database_url="",
        redis_url="",
        secret_keys=(SECRET_KEY,),
        sandbox=True,
        payment_provider=PaymentProvider.SANDBOX,
        only_registered_documents=True,
    )
    transport = httpx.ASGITransport(app=create_app(settings), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://earnest.test") as http:
        by_identifier = await _post(http, people, documentId=identifier)
        by_text = await _post(http, people, query=ROLE)
        other = await _post(http, people, query="{ viewer { kind } }")
        introspection = await _post(http, people, query="{ __schema { types { name } } }")
    assert by_identifier.json() == by_text.json() == ANSWER
    for refused in (other, introspection):
        assert refused.json()["errors"][0]["extensions"]["code"] == "DOCUMENT_NOT_FOUND"
