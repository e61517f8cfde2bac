"""A stand-in for GitHub that executes GraphQL by GitHub's own schema, and answers REST as GitHub's webhooks show milestones."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from aiohttp import web
from graphql import GraphQLSchema, build_schema, graphql_sync

from tests.judges.story import HERE, Seen

OCTOKIT = HERE / "node_modules" / "@octokit"
PAGE = 2
"""Smaller than what is asked for, so that there are several pages."""


@cache
def schema() -> GraphQLSchema:
    """GitHub's, which names two fields of another type twice."""
    return build_schema(Path(OCTOKIT / "graphql-schema" / "schema.graphql").read_text(), assume_valid=True)


@cache
def webhooks() -> dict[str, list[dict[str, Any]]]:
    """GitHub's examples by the name of the event."""
    found = json.loads(Path(OCTOKIT / "webhooks-examples" / "api.github.com" / "index.json").read_text())
    return {one["name"]: one["examples"] for one in found}


@dataclass
class Repository:
    """One repository, and somebody in front of it."""

    issues_only: bool = False
    has_dates: bool = True
    things: dict[int, dict[str, Any]] = field(default_factory=dict)
    documents: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _ticks: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def items(self) -> list[Seen]:
        return [
            Seen(str(one["number"]), one["title"], one["text"] or "", (one["due"] or "")[:10], one["closed"])
            for one in self.things.values()
        ]

    async def edit(self, external_id: str, *, title: str, text: str, due_on: str) -> None:
        self.change(int(external_id), title=title, text=text, due=f"{due_on}T08:00:00Z" if due_on else None)

    async def add(self, *, title: str, text: str, due_on: str) -> None:
        self.make(title=title, text=text, due=f"{due_on}T08:00:00Z")

    async def delete(self, external_id: str) -> None:
        del self.things[int(external_id)]

    def make(self, **said: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self.things[number] = {"number": number, "text": None, "due": None, "closed": False}
        return self.change(number, **said)

    def change(self, number: int, **said: Any) -> dict[str, Any]:
        tick = next(self._ticks)
        self.things[number] |= {
            **said,
            "updated": f"2026-11-01T{tick // 3600:02d}:{tick // 60 % 60:02d}:{tick % 60:02d}Z",
        }
        return self.things[number]

    def executed(self, body: dict[str, Any]) -> dict[str, Any]:
        """What GitHub's schema makes of a document, with its own validation."""
        self.documents.append(body["query"])
        result = graphql_sync(schema(), body["query"], root_value=self._root(), variable_values=body["variables"])
        errors = [{"message": error.message, "type": "INVALID"} for error in result.errors or ()]
        return {"data": result.data, **({"errors": errors} if errors else {})}

    def _root(self) -> dict[str, Any]:
        def repository(_: Any, **__: Any) -> dict[str, Any]:
            return {
                "id": "R_1",
                "milestones": self._page,
                "issues": self._page,
                "milestone": self._one,
                "issue": self._one,
                "label": lambda _, name: {"id": "LA_1"} if name == "earnest" else None,
            }

        def create(_: Any, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 - GitHub's word
            assert (input["repositoryId"], input["labelIds"]) == ("R_1", ["LA_1"])
            return {"issue": _node(self.make(title=input["title"], text=input.get("body")))}

        def update(_: Any, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 - GitHub's word
            said = {"text": input.get("body"), "title": input.get("title"), "closed": input["state"] == "CLOSED"}
            number = int(input["id"].removeprefix("N_"))
            return {"issue": _node(self.change(number, **{name: one for name, one in said.items() if one is not None}))}

        return {"repository": repository, "createIssue": create, "updateIssue": update}

    def _page(self, _: Any, first: int, after: str | None = None, **given: Any) -> dict[str, Any]:
        assert first == 100
        numbers = [number for number in sorted(self.things) if number > int(after or 0)]
        if given["orderBy"]["direction"] == "DESC":
            numbers.reverse()
        page = numbers[:PAGE]
        info = {"hasNextPage": len(numbers) > PAGE, "endCursor": str(page[-1]) if page else None}
        return {"nodes": [_node(self.things[number]) for number in page], "pageInfo": info}

    def _one(self, _: Any, number: int) -> dict[str, Any] | None:
        return _node(self.things[number]) if number in self.things else None

    def rest(self, method: str, number: int | None, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Milestones by REST, in the shape of GitHub's own example."""
        self.bodies.append(body)
        names = {"title": "title", "description": "text", "due_on": "due"}
        said = {names[name]: value for name, value in body.items() if name in names}
        if "state" in body:
            said["closed"] = body["state"] == "closed"
        if "due" in said:
            said["due"] = said["due"].replace("T12:00:00Z", "T08:00:00Z")
        if said.get("title") in {one["title"] for one in self.things.values() if one["number"] != number}:
            return 422, {"message": "Validation Failed"}
        one = self.make(**said) if number is None else self.change(number, **said)
        like: dict[str, Any] = webhooks()["milestone"][0]["milestone"]
        answer = {
            "number": one["number"], "title": one["title"], "description": one["text"], "due_on": one["due"],
            "state": "closed" if one["closed"] else "open", "updated_at": one["updated"],
            "html_url": f"https://github.com/o/r/milestone/{one['number']}",
        }  # fmt: skip
        assert set(answer) <= set(like)
        return 201 if method == "POST" else 200, {**like, **answer}


def _node(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"N_{one['number']}", "number": one["number"], "title": one["title"], "description": one["text"],
        "body": one["text"] or "", "dueOn": one["due"], "closed": one["closed"], "updatedAt": one["updated"],
        "url": f"https://github.com/o/r/milestone/{one['number']}", "labels": {"nodes": [{"name": "earnest"}]},
    }  # fmt: skip


@asynccontextmanager
async def served(repository: Repository, token: str) -> AsyncIterator[str]:
    """Its address."""
    schema()  # it takes its time, which an answer hasn't

    async def graphql(request: web.Request) -> web.Response:
        assert request.headers["authorization"] == f"Bearer {token}"
        return web.json_response(repository.executed(await request.json()))

    async def milestones(request: web.Request) -> web.Response:
        assert request.headers["authorization"] == f"Bearer {token}"
        number = request.match_info.get("number")
        status, answer = repository.rest(request.method, int(number) if number else None, await request.json())
        return web.json_response(answer, status=status)

    application = web.Application()
    application.router.add_post("/graphql", graphql)
    application.router.add_post("/repos/o/r/milestones", milestones)
    application.router.add_patch("/repos/o/r/milestones/{number}", milestones)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
