"""The tools for agents, through a real server, by the protocol's own client: they look, foresee, prepare, and change nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from graphql import parse, validate
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from earnest.agents.actions import ACTIONS
from earnest.agents.toolbox import Tools
from earnest.api_client import Api
from earnest.demo.people import People, make_people
from earnest.demo.website import Website
from escrow.database import fetch_value
from schema.build import executable
from tests.earnest.demo.test_demo import operator_key, web
from tests.earnest.running import clean_environment
from tests.workers.process import worker

ROOT = Path(__file__).parents[3]


@pytest.fixture
async def people(database: str, redis_url: str, tmp_path: Path) -> AsyncIterator[People]:
    """The demo's people, with a contract whose second milestone waits for the client."""
    async with (
        web(database, redis_url, tmp_path / "web.log") as url,
        worker(database, redis_url, tmp_path / "worker.log"),
    ):
        found = await make_people(url, await operator_key())
        apis = found.apis()
        story = Website(client=apis["client"], freelancer=apis["freelancer"], say=lambda _: None, show=lambda _: None)
        await story.first_half(found.client.account, found.freelancer.account)
        yield found


class Agent:
    """Whoever speaks the protocol with `earnest mcp`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def call(self, tool: str, **given: object) -> dict[str, Any]:
        """What a tool answers."""
        result: Any = await self._client.call_tool(tool, given)
        assert not result.is_error, result.content[0].text
        answer: dict[str, Any] = json.loads(result.content[0].text)
        return answer

    async def refused(self, tool: str, **given: object) -> str:
        """The words of a refusal."""
        result: Any = await self._client.call_tool(tool, given)
        assert result.is_error
        return str(result.content[0].text)

    async def names(self) -> list[str]:
        """The tools that are offered, all of which say that they only read."""
        offered: Any = (await self._client.list_tools()).tools
        assert all(one.annotations.read_only_hint and one.description for one in offered)
        return [one.name for one in offered]


async def test_an_agent_finds_what_waits_and_prepares_a_link_for_a_person(people: People) -> None:
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "earnest", "mcp", "--url", people.url, "--key", people.client.key],
        cwd=ROOT,
        env=clean_environment(),
    )
    async with Client(stdio_client(command)) as client:
        await looks_and_prepares(Agent(client), people)
    await prepares_with_a_key_that_only_reads(people)


async def looks_and_prepares(agent: Agent, people: People) -> None:
    """The whole of it, as an agent would."""
    assert len(await agent.names()) == 12
    before = await fetch_value("SELECT count(*) FROM events")
    assert (await agent.call("who_am_i"))["accountId"] == people.client.account
    (contract,) = (await agent.call("list_contracts", state="ACTIVE", title="website"))["nodes"]
    (waiting,) = (await agent.call("find_milestones", state="SUBMITTED"))["nodes"]
    assert waiting["contractId"] == contract["id"]
    assert waiting["nextDeadline"]["inFavourOf"] == "FREELANCER"
    whole = await agent.call("show_contract", contract_id=contract["id"])
    assert [one["state"] for one in whole["milestones"][:2]] == ["RELEASED", "SUBMITTED"]
    assert (await agent.call("read_timeline", contract_id=contract["id"]))["nodes"][0]["type"] == "contract.proposed"
    assert (await agent.call("read_changes"))["cursor"].startswith("cur_")
    allowed = (await agent.call("allowed_actions", subject_id=waiting["id"]))["allowedActions"]
    assert "APPROVE" in {one["action"] for one in allowed if one["allowed"]}
    assert (await agent.call("review_plan", plan=[{"title": "All of it"}]))["hints"]
    parts = (await agent.call("split_budget", amount="100.00", currency="USD", ratios=[1, 1, 1]))["parts"]
    assert [one["amount"] for one in parts] == ["33.34", "33.33", "33.33"]
    assert "PLANNED" in (await agent.call("explain_error", code="MILESTONE_LOCKED"))["when"]

    prepared = await agent.call(
        "prepare", action="APPROVE", subject_id=waiting["id"], values={"message": "Splendid & fine"}
    )
    assert "milestone.released" in prepared["events"]
    address, _, values = prepared["link"].partition("?")
    assert address == f"{people.url}/console#/contracts/{contract['id']}/APPROVE/{waiting['id']}"
    assert json.loads(unquote(values)) == {"message": "Splendid & fine"}

    kickoff = whole["milestones"][0]["id"]
    assert "FORBIDDEN" in await agent.refused(
        "prepare", action="SUBMIT", subject_id=kickoff, values={"message": "Done."}
    )
    assert "'message'" in await agent.refused("prepare", action="SUBMIT", subject_id=kickoff)
    assert "There is no action STEAL" in await agent.refused("foresee", action="STEAL", subject_id=waiting["id"])
    assert "NOT_FOUND" in await agent.refused("show_contract", contract_id="ctr_00000000000000000000000000")
    assert await fetch_value("SELECT count(*) FROM events") == before


async def prepares_with_a_key_that_only_reads(people: People) -> None:
    """What the agent can't do, nobody can talk it into; a person gets the link all the same."""
    made = await Api(people.url, people.operator.key).do(
        "createApiKey", "secret", accountId=people.client.account, name="Agent", scopes=["CONTRACTS_READ"]
    )
    reading = Tools(Api(people.url, made["secret"]), people.url)
    (waiting,) = (await reading.find_milestones(state="SUBMITTED"))["nodes"]
    prepared = await reading.prepare("APPROVE", waiting["id"])
    assert prepared["link"].endswith(f"/APPROVE/{waiting['id']}")
    assert prepared["events"] == []
    assert "scope" in prepared["unforeseen"]


def test_every_action_that_is_done_to_something_can_be_prepared() -> None:
    schema = executable(sandbox=True)
    commands: Any = schema.type_map["CommandInput"]
    actions: Any = schema.type_map["Action"]
    assert set(ACTIONS) == set(actions.values) - {"PROPOSE"}
    for mutation, subject in ACTIONS.values():
        assert subject in commands.fields[mutation].type.fields, mutation
    assert {mutation for mutation, _ in ACTIONS.values()} == set(commands.fields) - {"proposeContract"}


async def test_every_document_of_the_tools_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def ask(self: Api, document: str, **_: object) -> dict[str, Any]:
        asked.append(document)
        node = {"id": "ctr_1", "allowedActions": []}
        return {
            "node": node,
            "contract": {"timeline": {}},
            "preview": {"refusal": None, "events": [], "transfers": []},
        } | {name: {} for name in ("viewer", "contracts", "milestones", "changes", "reviewPlan", "splitBudget")}

    monkeypatch.setattr(Api, "ask", ask)
    offered = Tools(Api("http://127.0.0.1:1", "ek_"), "http://127.0.0.1:1")
    await offered.who_am_i()
    await offered.list_contracts()
    await offered.show_contract("ctr_1")
    await offered.find_milestones()
    await offered.read_timeline("ctr_1")
    await offered.read_changes()
    await offered.allowed_actions("ctr_1")
    await offered.review_plan([])
    await offered.split_budget("1", "USD", [1])
    await offered.prepare("ACCEPT", "ctr_1")
    assert len(asked) == 11
    for document in asked:
        parsed = parse(document)
        assert validate(executable(sandbox=True), parsed) == []
        assert all(one.operation.value == "query" for one in parsed.definitions), document  # type: ignore[attr-defined]
