"""GitHub, by its own schema and its own examples of webhooks."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import httpx
import pytest
from graphql import parse, validate

from connectors import couplings
from connectors.tools import github_issues, github_milestones
from escrow.database import execute, fetch_value
from tests.connectors.coupled import Couple
from tests.judges import story
from tests.judges.github import Repository, schema, served, webhooks

TOKEN = "a-token"


@pytest.mark.parametrize("document", [*github_milestones.DOCUMENTS, *github_issues.DOCUMENTS])
def test_every_document_is_valid_by_githubs_own_schema(document: str) -> None:
    assert validate(schema(), parse(document)) == []


def test_a_document_that_github_would_not_understand_is_found() -> None:
    wrong = github_milestones.ALL.replace("dueOn", "dueDate")
    assert [error.message for error in validate(schema(), parse(wrong))] != []


def test_githubs_graphql_still_has_no_mutation_for_milestones() -> None:
    mutations = schema().mutation_type
    assert mutations is not None
    assert [name for name in mutations.fields if "milestone" in name.lower()] == []


async def test_a_plan_and_milestones_of_github_stay_the_same(couple: Couple) -> None:
    repository = Repository()
    async with served(repository, TOKEN) as url:
        await story.play(couple, repository, "github", {"repository": "o/r", "url": url}, token=TOKEN)
    assert {body["state"] for body in repository.bodies} == {"open", "closed"}


async def test_a_plan_and_issues_of_github_stay_the_same(couple: Couple) -> None:
    repository = Repository(has_dates=False)
    place = {"repository": "o/r", "label": "earnest", "url": ""}
    async with served(repository, TOKEN) as url:
        await story.play(couple, repository, "github", {**place, "url": url}, token=TOKEN)
    assert repository.bodies == [], "nothing by REST"


class TestWebhooks:
    """What GitHub sends rings once it is signed, and tells nothing."""

    @pytest.fixture
    async def address(self, couple: Couple) -> str:
        await couple("hub")
        await execute("UPDATE couplings SET due_at = clock_timestamp() + interval '1 day'")
        return f"{couple.served.url.removesuffix('/graphql')}/couplings/hub"

    @pytest.mark.parametrize(
        ("event", "example"),
        [(name, one) for name in ("milestone", "issues", "ping") for one in webhooks()[name]],
        ids=lambda value: value if isinstance(value, str) else value.get("action", "ping"),
    )
    async def test_every_example_is_taken_and_rings_if_it_is_of_use(
        self, address: str, event: str, example: dict[str, Any]
    ) -> None:
        answer = await send(address, event, json.dumps(example).encode(), "a secret")
        assert answer.status_code == 200
        assert await fetch_value("SELECT rung_at IS NOT NULL FROM couplings") is (event != "ping")

    async def test_what_is_not_signed_or_was_changed_rings_nobody(self, address: str) -> None:
        body = json.dumps(webhooks()["milestone"][0]).encode()
        assert (await send(address, "milestone", body, "another secret")).status_code == 401
        assert (await send(address, "milestone", body + b" ", "a secret", signed=body)).status_code == 401
        async with httpx.AsyncClient() as http:
            assert (await http.post(address, content=body)).status_code == 401
        assert (await send(f"{address}x", "milestone", body, "a secret")).status_code == 404
        assert await fetch_value("SELECT rung_at IS NULL FROM couplings")

    async def test_one_that_comes_twice_has_the_tool_read_once(self, address: str) -> None:
        body = json.dumps(webhooks()["milestone"][0]).encode()
        for _ in range(2):
            assert (await send(address, "milestone", body, "a secret")).status_code == 200
        (leased,) = await couplings.lease(9)
        assert leased.is_asked
        assert await couplings.lease(9) == []


async def send(address: str, event: str, body: bytes, secret: str, *, signed: bytes | None = None) -> httpx.Response:
    """A webhook as GitHub sends it."""
    signature = hmac.new(secret.encode(), signed or body, hashlib.sha256).hexdigest()
    headers = {
        "x-github-event": event,
        "x-hub-signature-256": f"sha256={signature}",
        "content-type": "application/json",
    }
    async with httpx.AsyncClient() as http:
        return await http.post(address, content=body, headers=headers)
