"""A deployment that a test brings back to a moment: its processes, its people, and everything outside that remembers."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from tortoise.context import TortoiseContext

from escrow import database
from escrow.accounts.commands import ConnectPayee
from escrow.agreement import commands as c
from escrow.pipeline import run
from tests.api.client import Caller
from tests.earnest.running import Up, clean_environment
from tests.factories import Deal, Deployment
from tests.patience import PATIENCE_SECONDS
from tests.stand_ins.stripe import payees
from tests.stand_ins.stripe.books import Json
from tests.stand_ins.stripe.serving import Playing

CHECKOUT: Final = Path(__file__).parents[2]
PAGE: Final = CHECKOUT / "docs" / "operating" / "restoring.md"
CHANGES: Final = """query ($after: Cursor) { changes(after: $after, first: 100) {
    cursor hasMore nodes { cursor event { id type } } } }"""
EVENTS: Final = "subscription ($after: Cursor) { events(after: $after) { id cursor } }"

Seen = dict[str, str]
"""What a reader has made of the log: the event at each cursor."""


@dataclass(slots=True)
class Machine:
    """A folder with a deployment in it; `up` while it runs."""

    root: Path
    environ: dict[str, str]
    up: Up | None = None

    async def start(self) -> None:
        """As `earnest up` does, without the demo."""
        await asyncio.to_thread(self._start)

    def _start(self) -> None:
        (self.root / "Procfile").write_text("web: python -m earnest web\nworker: python -m earnest worker\n")
        self.up = Up(self.root, self.environ, module="tests.earnest.whole")
        self.up.wait_for("Ctrl-C stops everything")

    async def stop(self) -> None:
        """As Ctrl-C does."""
        await asyncio.to_thread(self._stop)

    def _stop(self) -> None:
        assert self.up is not None
        self.up.signal(signal.SIGTERM)
        assert self.up.wait() == 0, self.up.text
        self.up = None

    def database_url(self) -> str:
        reached = json.loads((self.root / ".earnest" / "engines.json").read_text())
        return str(reached["database_url"])

    async def command(self, *words: str) -> str:
        """What a command of the page says; it must be well."""
        ended = await asyncio.to_thread(self._ended, *words)
        assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"
        return ended.stdout

    async def refused(self, *words: str) -> str:
        """Why a command is refused."""
        ended = await asyncio.to_thread(self._ended, *words)
        assert ended.returncode == 2, f"{ended.stdout}\n{ended.stderr}"
        return ended.stderr

    def _ended(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", *words]
        return subprocess.run(command, cwd=self.root, env=self.environ, capture_output=True, text=True, check=False)


@asynccontextmanager
async def connected_to(url: str) -> AsyncIterator[None]:
    """Tortoise on this database for these tasks, whatever this process is connected to for other tests."""
    context = TortoiseContext()
    with context:
        await context.init(config=database.configuration(url))
        try:
            yield
        finally:
            await database._last_work()
            await context.close_connections()


def documented(beginning: str, *, moment: datetime | None = None) -> list[str]:
    """The words of a command as the page has it, with another moment in it."""
    lines = re.findall(rf"^ *({re.escape(beginning)}.*)$", PAGE.read_text(), re.MULTILINE)
    assert lines, f"{PAGE.name} has no line {beginning}"
    words: list[str] = lines[0].partition("  #")[0].split()
    return [moment.isoformat() if moment and re.match(r"\d{4}-\d\d-\d\dT", word) else word for word in words]


def environment(url: str, port: int, backups: Path) -> dict[str, str]:
    """The variables of a deployment that pays by the stand-in at that address."""
    return clean_environment() | {
        "PORT": str(port),
        "EARNEST_BACKUPS": str(backups),
        "EARNEST_SECRET_KEYS": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "EARNEST_PAYMENT_PROVIDER": "stripe",
        "EARNEST_STRIPE_KEY": "rk_test_stand_in",
        "EARNEST_STRIPE_WEBHOOK_SECRET": "whsec_stand_in",
        "EARNEST_STRIPE_RETURN_URL": "https://app.example.com/paid",
        "EARNEST_STRIPE_URL": url,
        "PYTHONPATH": os.pathsep.join([str(CHECKOUT), os.environ.get("PYTHONPATH", "")]),
    }


async def until(happened: Callable[[], Awaitable[object]], what: str) -> None:
    """Wait until something is so, however busy the machine is."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not await happened():
        assert time.monotonic() < deadline, f"never: {what}; {await _under_way()}"
        await asyncio.sleep(0.05)


async def _under_way() -> list[str]:
    rows = await database.fetch("SELECT id, kind, state, is_stuck, known_as, last_error, due_at FROM payment_orders")
    return [str(dict(row)) for row in rows]


@dataclass(slots=True)
class Mirror:
    """Somebody who keeps what the feed said, by its cursors alone."""

    caller: Caller
    cursor: str | None = None
    seen: Seen = field(default_factory=dict)
    cuts: list[str] = field(default_factory=list)
    """The cursors up to which it was told to keep what it had."""

    async def catch_up(self) -> None:
        """Read on; told that the log was cut, forget what came after, and go on from there."""
        while True:
            answer = (await self.caller.post(CHANGES, {"after": self.cursor})).json()
            if "errors" in answer:
                extensions = answer["errors"][0]["extensions"]
                assert extensions["code"] == "LOG_CUT", answer
                self.cursor = extensions["keptCursor"]
                self.cuts.append(str(self.cursor))
                self.seen = {cursor: event for cursor, event in self.seen.items() if cursor <= str(self.cursor)}
                continue
            page = answer["data"]["changes"]
            for node in page["nodes"]:
                assert self.seen.setdefault(node["cursor"], node["event"]["id"]) == node["event"]["id"], node
            self.cursor = page["cursor"]
            if not page["hasMore"]:
                return


async def refusal_of_stream(caller: Caller, after: str) -> Json:
    """The error with which a stream of events from a cursor is answered."""
    headers = {"authorization": f"Bearer {caller.token}", "accept": "text/event-stream"}
    body = {"query": EVENTS, "variables": {"after": after}}
    async with caller.http.stream("POST", "/graphql", json=body, headers=headers) as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data: {"):
                extensions: Json = json.loads(line.removeprefix("data: "))["errors"][0]["extensions"]
                return extensions
    raise AssertionError("the stream ended without a word")


async def onboard(deployment: Deployment, stand_in: Playing) -> None:
    """The freelancer tells the provider everything, so that it can be paid."""
    freelancer = deployment.freelancer
    await run(ConnectPayee(account_id=str(freelancer.account_id), provider="stripe"), by=freelancer)

    async def can_be_paid() -> object:
        if (name := await database.fetch_value("SELECT payee_id FROM payees")) is not None:
            payees.told(stand_in.books, name)
            await database.execute("UPDATE payees SET due_at = now() WHERE NOT can_be_paid")
        return await database.fetch_value("SELECT can_be_paid FROM payees")

    await until(can_be_paid, "the freelancer can be paid")


async def state_of(order_id: str) -> str:
    return str(await database.fetch_value("SELECT state FROM payment_orders WHERE id = $1", order_id))


async def order_of(deposit_id: str) -> str:
    return str(await database.fetch_value("SELECT order_id FROM deposits WHERE id = $1", deposit_id))


async def is_paid(order_id: str) -> bool:
    return await state_of(order_id) == "PAID"


async def is_sent(order_id: str) -> bool:
    """Whether the provider has said that it pays it out, which takes days until it arrives."""
    sql = (
        "SELECT EXISTS (SELECT FROM provider_calls WHERE order_id = $1 AND step = 'PAYOUT' AND provider_id IS NOT NULL)"
    )
    return bool(await database.fetch_value(sql, order_id))


def moved(stand_in: Playing, kind: str, contract_id: str) -> Sequence[Json]:
    """What the provider has moved for a contract: charges that took money, `refund`, `transfer`."""
    things = stand_in.books.of(kind).values()
    return [one for one in things if _group(one) == contract_id and one.get("status") not in ("canceled", "failed")]


def _group(thing: Json) -> Any:
    return thing["metadata"].get("group") or thing.get("transfer_group")


async def write_contracts(deployment: Deployment, stop: asyncio.Event) -> int:
    """The load: contracts, one after the other, proposed and agreed on; answers how many."""
    count = 0
    while not stop.is_set():
        deal = await deployment.propose("10.00")
        await deal.accept()
        count += 1
        await asyncio.sleep(0.1)
    return count


async def give_refund(deal: Deal) -> None:
    await run(c.GiveRefund(milestone_id=deal.milestone()), by=deal.freelancer)


async def refund_order(deal: Deal) -> str | None:
    sql = "SELECT id FROM payment_orders WHERE contract_id = $1 AND kind = 'REFUND'"
    found = await database.fetch_value(sql, deal.id)
    return str(found) if found is not None else None
