"""The upgrade of docs/operating/upgrading.md, step by step, with commands, streams and webhooks under way all the time.

Where the former release isn't in the history of this checkout, this one takes its place: what is left then is a restart of all
processes one after the other.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, cast

import asyncpg
import httpx
import pytest

from escrow import cursors
from escrow.migrate import OTHERS_SQL
from escrow.release import APPLICATION
from tests.earnest.running import clean_environment
from tests.engines import TestServer
from tests.escrow.test_migrate import empty
from tests.patience import PATIENCE_SECONDS
from tests.upgrade import former
from tests.upgrade.former import ROOT
from tests.upgrade.load import Front, Heard, Load, Person, Subscriber
from tests.upgrade.mothers import mother
from tests.upgrade.processes import Release, Running
from tests.webhooks import receivers
from tests.webhooks.receivers import Receiver, receiver
from tests.workers import forking
from tests.workers.process import until, worker_environment

LIVES: Final = 3
PAGE: Final = ROOT / "docs" / "operating" / "upgrading.md"

VISIBLE = """
SELECT placed.position, placed.stream_id, event.sequence, event.id, event.type
FROM log_positions AS placed JOIN events AS event ON event.id = placed.event_id
LEFT JOIN contracts AS contract ON contract.id = placed.stream_id
WHERE $1 IN (placed.stream_id, contract.client_id, contract.freelancer_id) ORDER BY placed.position
"""


@dataclass(slots=True)
class Site:
    """The deployment: a database, a release before and after, and what runs."""

    connection: asyncpg.Connection
    before: Release
    after: Release
    logs: Path
    front: Front = field(default_factory=lambda: Front([]))
    running: dict[str, list[Running]] = field(default_factory=lambda: {"web": [], "worker": []})
    started: int = 0

    async def start(self, release: Release, kind: str) -> None:
        """One more process of this release."""
        self.started += 1
        process = await release.start(kind, self.logs / f"{self.started}-{kind}.log")
        self.running[kind].append(process)
        if kind == "web":
            self.front.ports.append(process.port)

    async def replace_one(self, kind: str) -> None:
        """A process of the release after for the oldest one."""
        await self.start(self.after, kind)
        await self.running[kind].pop(0).stop()

    async def settled(self) -> None:
        """Wait until the log has its positions and nothing waits for being delivered."""

        async def quiet() -> bool:
            return not await self.connection.fetchval(
                "SELECT EXISTS (SELECT FROM log_pending) OR EXISTS (SELECT FROM lanes WHERE due_at IS NOT NULL)"
            )

        await until(quiet)

    async def is_of_one_release(self) -> bool:
        """Whether only the release after is connected: PostgreSQL notices that a process has ended a moment after it has."""
        return not await self.connection.fetch(OTHERS_SQL, APPLICATION)

    async def visible(self, account_id: str) -> list[asyncpg.Record]:
        return list(await self.connection.fetch(VISIBLE, account_id))


@pytest.fixture
async def site(server: TestServer, redis_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    """Two web and two worker processes of the former release on its own tables."""
    url = await empty(server)
    environ = {**clean_environment(), **worker_environment(url, redis_url)}
    forking.begin()  # what this release's processes import is imported meanwhile
    connection = await asyncpg.connect(url)
    async with _of_the_former(tmp_path / "former", environ) as before:
        site = Site(connection, before, Release(environ), tmp_path)
        code, said = await site.before.run("migrate")
        assert code == 0, said
        try:
            await asyncio.gather(*(site.start(site.before, kind) for kind in ("web", "web", "worker", "worker")))
            yield site
        finally:
            for process in (*site.running["web"], *site.running["worker"]):
                process.kill()
            await connection.close()
            await server.drop(url)


@asynccontextmanager
async def _of_the_former(folder: Path, environ: Mapping[str, str]) -> AsyncIterator[Release]:
    if former.why_not():
        yield Release(environ)
        return
    async with mother(former.lay_out(folder), environ) as its:
        yield Release(environ, its)


@asynccontextmanager
async def under_way(load: Load, subscribers: list[Subscriber], site: Site) -> AsyncIterator[None]:
    """Everybody at work, until the contracts that were begun have ended and everything was heard. Whatever fails ends it all."""
    async with asyncio.TaskGroup() as group:
        following = [group.create_task(one.follow()) for one in subscribers]
        lives = [group.create_task(load.live()) for _ in range(LIVES)]
        yield
        load.is_over = True
        await asyncio.gather(*lives)
        await site.settled()
        for one, task in zip(subscribers, following, strict=True):
            expected = len(await site.visible(one.person.account_id))
            await until(partial(one.has, expected))
            task.cancel()


def _steps() -> list[str]:
    """What the page has an operator run, in order."""
    return re.findall(r"^earnest (.+?)(?:\s+#.*)?$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


async def test_an_upgrade_step_by_step_under_load_fails_no_request_and_loses_no_event(site: Site) -> None:
    assert _steps() == ["migrate --pending", "migrate", "migrate --after", "audit"], "the page says what is played here"
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as http, receiver() as partner:
        _, token = await site.before.run("keys", "create", "--operator", "--name", "first key")
        operator = Person(site.front, http, token.split()[-1])
        client, freelancer = await operator.open_account("Client"), await operator.open_account("Freelancer")
        await client.do("createWebhookEndpoint", "webhookEndpoint { id }", url=partner.url())
        load = Load(client, freelancer)
        subscribers = [Subscriber(one, by_socket) for one in (client, freelancer) for by_socket in (True, False)]
        async with under_way(load, subscribers, site):
            await load.more(LIVES)
            await _upgrade(site, load)
    await _nothing_is_lost(site, client, subscribers, partner)


async def _upgrade(site: Site, load: Load) -> None:
    """As the page says."""
    for command in ("migrate --pending", "migrate"):
        code, said = await site.after.run(*command.split())
        assert code == 0, said
    await load.more(LIVES)  # the former release on the new tables
    for kind in ("web", "worker", "web"):
        await site.replace_one(kind)
        await load.more(1)
    if site.before.mother is not None:
        code, said = await site.after.run("migrate", "--after")
        assert (code, "processes of another release are still connected: earnest" in said) == (2, True), said
    await site.replace_one("worker")
    await load.more(1)
    await until(site.is_of_one_release)
    code, said = await site.after.run("migrate", "--after")
    assert code == 0, said
    await site.replace_one("web")  # one of this release, so that it is known to cut off nobody
    await load.more(LIVES)


async def _nothing_is_lost(site: Site, client: Person, subscribers: list[Subscriber], partner: Receiver) -> None:
    for one in subscribers:
        expected: list[Heard] = [
            (cursors.print_cursor(row["position"]), row["stream_id"], row["sequence"])
            for row in await site.visible(one.person.account_id)
        ]
        assert one.heard == expected, "each event once and in order"
    assert sum(one.told_to_go for one in subscribers) > 0
    _each_webhook_came(await site.visible(client.account_id), partner)
    code, said = await site.after.run("audit")
    assert code == 0, said


def _each_webhook_came(visible: list[asyncpg.Record], partner: Receiver) -> None:
    """Of each event since the endpoint was made, in the order of its stream; what came again has the id that it had."""
    ids = list(dict.fromkeys(heard.headers["webhook-id"] for heard in partner.heard))
    streams: dict[str, list[int]] = defaultdict(list)
    for heard in {heard.headers["webhook-id"]: heard for heard in reversed(partner.heard)}.values():
        event = json.loads(heard.body)["data"]["event"]
        streams[event["stream"]].append(event["sequence"])
    since = next(place for place, row in enumerate(visible) if row["type"] == "endpoint.created")
    promised = [row["id"] for row in visible[since + 1 :]]
    assert sorted(ids) == sorted(promised)
    assert all(sequences == sorted(sequences, reverse=True) for sequences in streams.values())


def _heard(event_id: str, sequence: int) -> receivers.Heard:
    body = json.dumps({"data": {"event": {"stream": "ctr_1", "sequence": sequence}}})
    return receivers.Heard("POST /hook HTTP/1.1", {"webhook-id": event_id}, body.encode())


@pytest.mark.parametrize("lost", [0, 1, 2, slice(0, 2)])
def test_a_webhook_that_never_came_is_missed_also_if_it_was_the_first(lost: int | slice) -> None:
    rows = [{"id": f"evt_{number}", "type": "contract.proposed"} for number in range(4)]
    rows[0]["type"] = "endpoint.created"
    visible = cast("list[asyncpg.Record]", [{"id": "evt_old", "type": "key.created"}, *rows])
    partner = Receiver("127.0.0.1")
    partner.heard = [_heard(f"evt_{number}", number) for number in (1, 2, 3)]
    _each_webhook_came(visible, partner)
    del partner.heard[lost]
    with pytest.raises(AssertionError):
        _each_webhook_came(visible, partner)
