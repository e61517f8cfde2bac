"""Python's gql works unchanged, and the recipe of the page about live streams loses and doubles nothing across a restart."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from gql import Client, gql
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.exceptions import TransportQueryError

from tests.conformance.conftest import Deployment
from tests.docs.product import ROOT
from tests.patience import PATIENCE_SECONDS

VIEWER = "{ viewer { accountId } }"
NOW = '{ changes(after: "latest", first: 1) { cursor } }'
CHANGES = """query ($after: Cursor!) {
    changes(after: $after, first: 100) { nodes { cursor } cursor hasMore }
}"""
PROPOSE = """mutation ($input: ProposeContractInput!) {
    proposeContract(input: $input) { contract { id } userErrors { code message } }
}"""


def _client(deployment: Deployment) -> Client:
    headers = {"Authorization": f"Bearer {deployment.keys['client']}"}
    transport = AIOHTTPTransport(url=f"{deployment.url}/graphql", headers=headers)
    return Client(transport=transport, fetch_schema_from_transport=True)


async def _ask(deployment: Deployment, text: str, **variables: Any) -> dict[str, Any]:
    document = gql(text)
    document.variable_values = variables
    async with _client(deployment) as session:
        answer: dict[str, Any] = await session.execute(document)
    return answer


async def _propose(deployment: Deployment) -> str:
    milestone = {
        "title": "One",
        "purpose": "To see",
        "amount": {"amount": "10.00", "currency": "USD"},
        "dueOn": "2100-01-01",
        "deliverables": ["A page"],
    }
    proposal = {
        "clientId": deployment.account_of("client"),
        "freelancerId": deployment.account_of("freelancer"),
        "title": "By gql",
        "currency": "USD",
        "milestones": [milestone],
    }
    payload = (await _ask(deployment, PROPOSE, input=proposal))["proposeContract"]
    assert payload["userErrors"] == []
    contract_id: str = payload["contract"]["id"]
    return contract_id


async def test_a_query_a_mutation_and_an_error(deployment: Deployment) -> None:
    assert (await _ask(deployment, VIEWER))["viewer"]["accountId"] == deployment.account_of("client")
    assert (await _propose(deployment)).startswith("ctr_")
    with pytest.raises(TransportQueryError) as refused:
        await _ask(deployment, '{ changes(after: "nonsense", first: 1) { cursor } }')
    assert [error["extensions"]["code"] for error in refused.value.errors or ()] == ["BAD_REQUEST"]


async def test_the_recipe_for_python_loses_and_doubles_nothing_across_a_restart(deployment: Deployment) -> None:
    (recipe,) = re.findall(r"```python\n(.*?)```", Path(ROOT / "docs/integrating/live.md").read_text(), re.DOTALL)
    page: dict[str, Any] = {"__name__": "recipe"}
    exec(recipe, page)  # noqa: S102 - our own page
    start = (await _ask(deployment, NOW))["changes"]["cursor"]
    heard: list[str] = []

    async def handle(event: dict[str, Any]) -> None:
        heard.append(event["cursor"])

    url = f"{deployment.url.replace('http', 'ws', 1)}/graphql"
    listening = asyncio.create_task(page["listen"](url, deployment.keys["client"], start, handle))
    for _ in range(3):
        await _propose(deployment)
    await asyncio.to_thread(deployment.restart)
    for _ in range(3):
        await _propose(deployment)
    expected = [node["cursor"] for node in (await _logged(deployment, start, at_least=12))]
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(heard) < len(expected):  # noqa: ASYNC110 - the list is filled by a stream
            await asyncio.sleep(0.1)
    listening.cancel()
    assert heard == expected


async def _logged(deployment: Deployment, after: str, *, at_least: int) -> list[dict[str, Any]]:
    """What the log has after a cursor, once it has so many events."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            page = (await _ask(deployment, CHANGES, after=after))["changes"]
            if len(page["nodes"]) >= at_least:
                nodes: list[dict[str, Any]] = page["nodes"]
                return nodes
            await asyncio.sleep(0.1)
