"""Two tools as servers in memory: one that rings, in GitHub's words, and one that is polled, in those of our plugin for Trac.

Their people edit them directly. Answers get lost, and so do rings; others come twice, or late.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import aiohttp
from aiohttp import web

from connectors.tools import github_milestones

ANSWERS_LOST: Final = 0.01
RINGS_LOST: Final = 0.10
UNLISTED: Final = 0.2
"""Of what is written to the tool that rings, its listing shows so much late: as it was before, or not at all."""
UNLISTED_SECONDS: Final = 2.0
RINGS_DOUBLED: Final = 0.10
LATE_SECONDS_MAX: Final = 3.0
"""Rings come in any order within this."""
SECRET: Final = "a secret"


@dataclass(slots=True)
class Item:
    """What a tool has of a milestone."""

    id: str
    title: str
    text: str
    due_on: str
    is_done: bool = False
    updated_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    unlisted_until: float = 0.0
    """Until then, by the monotonic clock, a listing shows it as it was listed before."""
    listed_as: Item | None = None

    @property
    def said(self) -> tuple[str, str, str, bool]:
        return self.title, self.text, self.due_on, self.is_done


class Project:
    """One project of a tool. `names` says that an item is known by its title."""

    def __init__(self, chance: random.Random, *, names: bool, rings: Callable[[], None] = lambda: None) -> None:
        self.items: dict[str, Item] = {}
        self.writes = 0
        self.vain = 0
        """Writes of connectors that changed nothing: echoes."""
        self.lost = 0
        self._chance = chance
        self._names = names
        self.rings = rings
        self._ids = itertools.count(1)

    def make(self, title: str, text: str, due_on: str, *, is_done: bool = False) -> Item:
        item_id = title if self._names else str(next(self._ids))
        self.items[item_id] = item = Item(item_id, title, text, due_on, is_done)
        self.rings()
        return item

    def change(self, item: Item, **said: Any) -> Item:
        """An item says something else; renamed where its title is its name."""
        del self.items[item.id]
        for name, value in said.items():
            setattr(item, name, value)
        item.id = item.title if self._names else item.id
        item.updated_at = datetime.now(UTC)
        self.items[item.id] = item
        self.rings()
        return item

    def delete(self, item: Item) -> None:
        del self.items[item.id]
        self.rings()

    def written(self, item: Item | None, **said: Any) -> Item:
        """What a connector writes."""
        self.writes += 1
        is_unlisted = not self._names and self._chance.random() < UNLISTED
        until = time.monotonic() + UNLISTED_SECONDS if is_unlisted else 0.0
        if item is None:
            made = self.make(said["title"], said["text"], said["due_on"], is_done=said.get("is_done", False))
            made.unlisted_until = until
            return made
        before = item.said
        item.listed_as, item.unlisted_until = replace(item) if is_unlisted else None, until
        self.change(item, **said)
        self.vain += before == item.said
        return item

    def listed(self) -> list[Item]:
        """What a listing shows, which may be as it was a moment ago."""
        now = time.monotonic()
        shown = [item if item.unlisted_until <= now else item.listed_as for item in self.items.values()]
        return sorted((item for item in shown if item is not None), key=_number)

    def loses(self) -> bool:
        """Whether the answer to what was just done gets lost."""
        is_lost = self._chance.random() < ANSWERS_LOST
        self.lost += is_lost
        return is_lost


class Rings:
    """Webhooks of one project on their way to its coupling."""

    def __init__(self, url: str, chance: random.Random, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._chance = chance
        self._session = session
        self._on_their_way: set[asyncio.Task[None]] = set()
        self.sent = self.lost = self.doubled = 0

    def __call__(self) -> None:
        if self._chance.random() < RINGS_LOST:
            self.lost += 1
            return
        is_doubled = self._chance.random() < RINGS_DOUBLED
        self.doubled += is_doubled
        for _ in range(1 + is_doubled):
            task = asyncio.create_task(self._send(LATE_SECONDS_MAX * self._chance.random()))
            self._on_their_way.add(task)
            task.add_done_callback(self._on_their_way.discard)

    async def _send(self, late_seconds: float) -> None:
        await asyncio.sleep(late_seconds)
        body = b"{}"
        signature = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {"x-github-event": "milestone", "x-hub-signature-256": signature}
        async with self._session.post(self._url, data=body, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
        self.sent += 1

    async def end(self) -> None:
        """Wait for those that are under way."""
        await asyncio.gather(*self._on_their_way)


@asynccontextmanager
async def served(github: dict[str, Project], trac: dict[str, Project]) -> AsyncIterator[str]:
    """The address of both tools: a repository is `o/NAME`, an environment is below `/trac/NAME`."""
    application = web.Application()
    application.router.add_post("/graphql", partial(_graphql, github))
    for method in ("POST", "PATCH"):
        for path in ("/repos/o/{name}/milestones", "/repos/o/{name}/milestones/{id}"):
            application.router.add_route(method, path, partial(_rest, github))
    for path in ("/trac/{name}/earnest/milestones", "/trac/{name}/earnest/milestones/{id}"):
        application.router.add_route("*", path, partial(_plugin, trac))
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _graphql(projects: dict[str, Project], request: web.Request) -> web.Response:
    body = await request.json()
    project, variables = projects[body["variables"]["name"]], body["variables"]
    if body["query"] == github_milestones.ONE:
        item = project.items.get(str(variables["number"]))
        return web.json_response({"data": {"repository": {"milestone": _node(item) if item else None}}})
    assert body["query"] == github_milestones.ALL
    found = [item for item in project.listed() if int(item.id) > int(variables["after"] or 0)]
    info = {"hasNextPage": len(found) > 100, "endCursor": found[99].id if len(found) > 100 else None}
    page = {"nodes": [_node(item) for item in found[:100]], "pageInfo": info}
    return web.json_response({"data": {"repository": {"milestones": page}}})


async def _rest(projects: dict[str, Project], request: web.Request) -> web.Response:
    project, body = projects[request.match_info["name"]], await request.json()
    said = {"text": body["description"], "is_done": body["state"] == "closed"}
    said |= {"title": body["title"]} if "title" in body else {}
    said |= {"due_on": body["due_on"][:10]} if "due_on" in body else {}
    item = project.items.get(request.match_info.get("id", ""))
    if item is None and request.method == "PATCH":
        return web.json_response({"message": "Not Found"}, status=404)
    now = project.written(item, **said)
    if project.loses():
        return web.json_response({"message": "Bad Gateway"}, status=502)
    rest = {"title": now.title, "description": now.text, "state": "closed" if now.is_done else "open"}
    times = {"due_on": f"{now.due_on}T08:00:00Z", "updated_at": now.updated_at.isoformat()}
    return web.json_response({"number": int(now.id), "html_url": "https://github.com/o/r/1", **rest, **times})


async def _plugin(projects: dict[str, Project], request: web.Request) -> web.Response:
    project, name = projects[request.match_info["name"]], request.match_info.get("id")
    item = project.items.get(name or "")
    if name is not None and item is None:
        return web.json_response({"error": "there is no such milestone"}, status=404)
    if request.method == "GET":
        return web.json_response(
            _shown(item) if item else {"milestones": [_shown(one) for one in project.items.values()]}
        )
    body = await request.json()
    names = {"name": "title", "description": "text", "due": "due_on", "completed": "is_done"}
    said = {names[key]: value for key, value in body.items()}
    if "title" in said and said["title"] in project.items and project.items[said["title"]] is not item:
        return web.json_response({"error": "another milestone is called so already"}, status=409)
    now = project.written(item, **said)
    if project.loses():
        return web.json_response({"error": "Bad Gateway"}, status=502)
    return web.json_response(_shown(now))


def _number(item: Item) -> int:
    return int(item.id)


def _node(item: Item) -> dict[str, Any]:
    return {
        "number": int(item.id), "title": item.title, "description": item.text, "closed": item.is_done,
        "dueOn": f"{item.due_on}T08:00:00Z", "updatedAt": item.updated_at.isoformat(), "url": "https://github.com/o/r/1",
    }  # fmt: skip


def _shown(item: Item) -> dict[str, Any]:
    return {
        "name": item.title, "description": item.text, "due": item.due_on, "completed": item.is_done,
        "changed": item.updated_at.isoformat(),
    }  # fmt: skip
