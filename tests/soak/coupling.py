"""Plans that are edited at random in Earnest and in two tools at once, by workers that are killed all the time.

When it is quiet again all three sides say the same, nothing is there twice, no connector wrote what was there already, and
no money moved. `python -m tests.soak connectors` plays it as long as one likes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import logging
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
from tortoise.context import TortoiseContext

from connectors import couplings, footer
from connectors.couplings import Coupling, Secrets
from connectors.sides import PlanLeave, Treaty
from earnest.engines import Engines
from escrow import vault
from escrow.access import Scope
from escrow.database import configuration, execute, fetch, fetch_value
from tests.api.client import Caller, with_key
from tests.api.live.serving import Served, serve, settled
from tests.engines import TestServer
from tests.soak.complaints import complaints, is_tools
from tests.soak.tools import SECRET, Item, Project, Rings, served
from tests.workers.process import WorkerProcess, worker

QUIET_SECONDS_MAX: Final = 600.0
NEW_AMOUNT: Final = "25.00"
WRITES_PER_CHANGE: Final = 3
"""A new item: the milestone, our footer under the item, the item in the other tool."""
PEOPLE: Final = {
    "earnest edits": 30,
    "earnest adds": 1,
    "earnest removes": 1,
    "hub edits": 30,
    "hub adds": 1,
    "hub deletes": 1,
    "hub closes": 2,
    "hub forges an amount": 1,
    "trac edits": 20,
    "trac renames": 10,
    "trac adds": 1,
    "trac forges an amount": 1,
}
"""What somebody does, and how often."""

MILESTONES: Final = """query ($id: ID!) { contract(id: $id) { planVersion milestones {
    id state title purpose dueOn amount { amount } } } }"""


class Wrong(AssertionError):
    """Something that must not be."""


@dataclass(slots=True)
class Figures:
    """What happened."""

    milestones: int = 0
    seconds: float = 0.0
    quiet_seconds: float = 0.0
    kills: int = 0
    changes: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    to_earnest: int = 0
    to_hub: int = 0
    to_trac: int = 0
    vain: int = 0
    answers_lost: int = 0
    rings_sent: int = 0
    rings_lost: int = 0
    rings_doubled: int = 0
    transfers: int = 0

    def lines(self) -> list[str]:
        """For people."""
        total = sum(self.changes.values())
        writes = self.to_earnest + self.to_hub + self.to_trac
        each = f"{writes / max(total, 1):.2f} for each change"
        return [
            f"{self.milestones:,} milestones; {total:,} changes by people in {self.seconds:.0f} s",
            "  " + ", ".join(f"{name} {count:,}" for name, count in sorted(self.changes.items())),
            f"  {self.refused:,} more that Earnest refused to people",
            f"  quiet {self.quiet_seconds:.0f} s after the last",
            f"{self.kills} kills of connectors, {self.answers_lost:,} answers of tools lost",
            f"webhooks: {self.rings_sent:,} came, {self.rings_lost:,} were lost, {self.rings_doubled:,} came twice",
            f"{writes:,} writes by connectors, {each}; {self.vain} that changed nothing",
            f"  {self.to_earnest:,} to Earnest, {self.to_hub:,} to the tool that rings, {self.to_trac:,} to the other",
            f"{self.transfers} transfers of money",
        ]


class CouplingSoak:
    """One play of it: `contracts` of `milestones` each, each with both tools."""

    def __init__(
        self,
        database_url: str,
        redis_url: str,
        folder: Path,
        *,
        contracts: int,
        milestones: int,
        seed: int = 1,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._database_url, self._redis_url, self._folder = database_url, redis_url, folder
        self._contracts, self._milestones = contracts, milestones
        self._chance = random.Random(seed)
        self._count = itertools.count(1)
        self._tell = tell
        self.figures = Figures(milestones=contracts * milestones)
        self.hubs = {f"c{number}": Project(self._chance, names=False) for number in range(contracts)}
        self.tracs = {f"c{number}": Project(self._chance, names=True) for number in range(contracts)}
        self.contract_ids: dict[str, str] = {}
        self._rings: list[Rings] = []

    async def run(self, *, seconds: float, kills: int, changes_per_second: float) -> Figures:
        """Play, wait until it is quiet, and judge. Raises `Wrong`."""
        async with (
            serve(self._redis_url) as web,
            served(self.hubs, self.tracs) as tools,
            aiohttp.ClientSession() as session,
        ):
            await self._set_up(web, tools, session)
            async with contextlib.AsyncExitStack() as stack:
                workers = Killed(self, stack, (self._database_url, self._redis_url), self._folder)
                await workers.start()
                await self._quiet()
                self._tell("everything is coupled; people begin")
                moved = await self._transfers()
                began = time.monotonic()
                people = asyncio.create_task(self._people(web.people.client, seconds, changes_per_second))
                for number in range(kills):
                    await asyncio.sleep(max(0.0, began + seconds * (number + 0.5) / kills - time.monotonic()))
                    await workers.kill()
                await people
                self.figures.seconds = time.monotonic() - began
                for rings in self._rings:
                    await rings.end()
                self._tell("people have ended")
                await self._quiet()
                self.figures.quiet_seconds = time.monotonic() - began - self.figures.seconds
                self.figures.transfers = await self._transfers() - moved
            await self._count_up()
            await self._judge(web.people.client)
        return self.figures

    async def _set_up(self, web: Served, tools: str, session: aiohttp.ClientSession) -> None:
        vault.use([bytes(range(32))])  # as the workers do
        deployment = web.people.deployment
        for name in self.hubs:
            deal = await deployment.activate(*["100.00"] * self._milestones)
            self.contract_ids[name] = deal.id
        # Its key moves no money, and what it does is told from what people do by the key.
        scopes = (Scope.CONTRACTS_READ, Scope.CONTRACTS_WRITE)
        self._key = (await with_key(web.people.client.http, deployment.client, deployment.operator, scopes)).token or ""
        await execute("UPDATE api_keys SET name = 'connector' WHERE id = (SELECT max(id) FROM api_keys)")
        address = web.url.removesuffix("/graphql")
        treaty = Treaty(plan=PlanLeave.EDIT, new_amount=NEW_AMOUNT, removes=True)
        for name, contract_id in self.contract_ids.items():
            secrets = Secrets(key=self._key, token="t", webhook=SECRET)
            for tool, place in (
                ("github", {"repository": f"o/{name}", "url": tools}),
                ("trac", {"url": f"{tools}/trac/{name}"}),
            ):
                one = Coupling(
                    name=f"{tool}-{name}", tool=tool, contract_id=contract_id, earnest_url=address, place=place,
                    treaty=treaty, secrets=secrets, poll_seconds=10 if tool == "github" else 5,
                )  # fmt: skip
                assert await couplings.add(one)
            rings = Rings(f"{address}/couplings/github-{name}", self._chance, session)
            self.hubs[name].rings = rings
            self._rings.append(rings)

    async def _people(self, client: Caller, seconds: float, changes_per_second: float) -> None:
        began, done = time.monotonic(), 0
        while (now := time.monotonic() - began) < seconds:
            if done < now * changes_per_second:
                done += 1
                await self._somebody(client)
            else:
                await asyncio.sleep(0.02)

    async def _somebody(self, client: Caller) -> None:
        what = self._chance.choices(list(PEOPLE), list(PEOPLE.values()))[0]
        name = self._chance.choice(list(self.hubs))
        if what.startswith("earnest"):
            happened = await self._in_earnest(client, self.contract_ids[name], what)
        else:
            happened = self._in_tool(self.hubs[name] if what.startswith("hub") else self.tracs[name], what)
        if happened:
            self.figures.changes[what] += 1

    async def _in_earnest(self, client: Caller, contract_id: str, what: str) -> bool:
        plan = (await client.ask(MILESTONES, {"id": contract_id}))["contract"]["milestones"]
        milestone = self._chance.choice([one for one in plan if one["state"] == "PLANNED"])
        if what == "earnest adds":
            said = {"title": self._said(), "purpose": self._said(), "dueOn": self._day(), "deliverables": []}
            amount = {"amount": {"amount": "100.00", "currency": "USD"}}
            payload = await client.do(
                "addMilestone", {"contractId": contract_id, "milestone": {**said, **amount}}, "contract { id }"
            )
        elif what == "earnest removes":
            payload = await client.do("removeMilestone", {"milestoneId": milestone["id"]}, "contract { id }")
        else:
            one = self._chance.choice([{"title": self._said()}, {"purpose": self._said()}, {"dueOn": self._day()}])
            payload = await client.do("editMilestone", {"milestoneId": milestone["id"], **one}, "contract { id }")
        self.figures.refused += bool(payload["userErrors"])
        return not payload["userErrors"]

    def _in_tool(self, project: Project, what: str) -> bool:
        if what.endswith("adds"):
            project.make(self._said(), self._said(), self._day())
            return True
        open_ones = [item for item in project.items.values() if not item.is_done]
        if not open_ones:
            return False
        item = self._chance.choice(open_ones)
        if what.endswith("deletes"):
            project.delete(item)
        elif what.endswith("closes"):
            project.change(item, is_done=True)
        elif what.endswith("renames"):
            project.change(item, title=self._said())
        elif what.endswith("amount"):
            project.change(item, text=item.text.replace(".00 USD", "9.99 USD"))
        else:
            project.change(item, **self._chance.choice(self._edits(item)))
        return True

    def _edits(self, item: Item) -> list[dict[str, str]]:
        """The purpose is edited in its text, which somebody who is careful does without touching our line."""
        _, line, rest = item.text.partition("\n\n-- Earnest ")
        return [{"text": f"{self._said()}{line}{rest}"}, {"due_on": self._day()}]

    def _said(self) -> str:
        return f"Words {next(self._count)}"

    def _day(self) -> str:
        number = next(self._count)
        return f"{2030 + number // 336 % 60}-{number % 12 + 1:02d}-{number % 28 + 1:02d}"

    async def _quiet(self) -> None:
        """Wait until every coupling was looked at twice with nothing left to do."""
        deadline = time.monotonic() + QUIET_SECONDS_MAX
        before = None
        while True:
            await settled()
            mark = await fetch_value("SELECT clock_timestamp()")
            await execute(
                "UPDATE couplings SET read_at = NULL, due_at = clock_timestamp(), settled_at = NULL, failures = 0"
            )
            # It is quiet for longer than a tool may take to show what was written to it.
            await execute("UPDATE coupled_writings SET written_at = written_at - interval '1 day'")
            while await fetch_value(
                "SELECT EXISTS (SELECT FROM couplings WHERE settled_at IS NULL OR settled_at < $1)", mark
            ):
                if time.monotonic() > deadline:
                    problems = [
                        tuple(row)
                        for row in await fetch("SELECT name, problem FROM couplings WHERE problem IS NOT NULL")
                    ]
                    raise Wrong(f"it never became quiet: {problems}")
                await asyncio.sleep(0.1)
            written = await self._written()
            if written == before:
                return
            before = written

    async def _written(self) -> int:
        projects = [*self.hubs.values(), *self.tracs.values()]
        return sum(project.writes for project in projects) + int(await self._by_connectors())

    async def _by_connectors(self) -> int:
        """What connectors changed in plans, by the keys in the log; what they posted and named beside it isn't counted."""
        query = """SELECT count(*) FROM events WHERE type LIKE 'milestone.%' AND body::jsonb -> 'actor' ->> 'key' =
            (SELECT id FROM api_keys WHERE name = 'connector')"""
        return int(await fetch_value(query))

    @staticmethod
    async def _transfers() -> int:
        return int(await fetch_value("SELECT count(*) FROM transfers"))

    async def _count_up(self) -> None:
        one = self.figures
        one.to_earnest = await self._by_connectors()
        one.to_hub = sum(project.writes for project in self.hubs.values()) - one.milestones
        one.to_trac = sum(project.writes for project in self.tracs.values()) - one.milestones
        projects = [*self.hubs.values(), *self.tracs.values()]
        one.vain, one.answers_lost = sum(p.vain for p in projects), sum(p.lost for p in projects)
        one.rings_sent = sum(rings.sent for rings in self._rings)
        one.rings_lost = sum(rings.lost for rings in self._rings)
        one.rings_doubled = sum(rings.doubled for rings in self._rings)

    async def _judge(self, client: Caller) -> None:
        """All sides say the same, nothing is there twice, and no visit failed but by a tool."""
        found: list[str] = []
        for name, contract_id in self.contract_ids.items():
            plan = (await client.ask(MILESTONES, {"id": contract_id}))["contract"]["milestones"]
            for tool, project in (("hub", self.hubs[name]), ("trac", self.tracs[name])):
                found += [f"{tool} {name}: {line}" for line in differences(plan, project)]
        if self.figures.vain:
            found.append(f"{self.figures.vain} writes changed nothing")
        if self.figures.transfers:
            found.append(f"{self.figures.transfers} transfers")
        writes = self.figures.to_earnest + self.figures.to_hub + self.figures.to_trac
        if writes > WRITES_PER_CHANGE * sum(self.figures.changes.values()):
            found.append(f"{writes} writes are too many")
        faults = (one for log in sorted(self._folder.glob("worker-*.log")) for one in complaints(log))
        found += [f"a fault of ours: {one}" for one in faults if not is_tools(one)]
        if found:
            raise Wrong("\n".join(found[:40]))


_UNSETTLED: Final = "SELECT EXISTS (SELECT FROM couplings WHERE settled_at IS NULL OR settled_at < $1)"


def differences(plan: list[dict[str, Any]], project: Project) -> list[str]:
    """What a tool says otherwise than the plan, a line each."""
    found: list[str] = []
    marked: dict[str, list[Item]] = {}
    for item in project.items.values():
        mark = footer.split(item.text).mark
        if mark is None:
            found.append(f"{item.title!r} has no milestone")
        else:
            marked.setdefault(mark, []).append(item)
    for one in plan:
        items = marked.pop(one["id"], [])
        if len(items) > 1:
            found.append(f"{one['id']} is there {len(items)} times")
        if one["state"] == "CANCELLED" or not items:
            found += [f"{one['id']} is missing"] if one["state"] != "CANCELLED" else []
            continue
        parts = footer.split(items[0].text)
        there = (items[0].title, parts.purpose, items[0].due_on, parts.facts)
        here = (one["title"], one["purpose"], one["dueOn"], f"{one['amount']['amount']} USD, {one['state']}")
        if there != here:
            found.append(f"{one['id']}: {here} is {there}")
    found += [f"{mark} is no milestone of the contract" for mark in marked]
    titles = Counter(one["title"] for one in plan if one["state"] != "CANCELLED")
    return found + [f"{count} milestones are called {title!r}" for title, count in titles.items() if count > 1]


class Killed:
    """A worker that is killed and started again."""

    def __init__(
        self, soak: CouplingSoak, stack: contextlib.AsyncExitStack, urls: tuple[str, str], folder: Path
    ) -> None:
        self._soak = soak
        self._stack = stack
        self._urls = urls
        self._folder = folder
        self._worker: WorkerProcess | None = None

    async def start(self) -> None:
        log = self._folder / f"worker-{self._soak.figures.kills}.log"
        self._worker = await self._stack.enter_async_context(worker(*self._urls, log))

    async def kill(self) -> None:
        """In the middle of whatever it does. Nobody is left who could hold a lease: it is as if their time had passed."""
        assert self._worker is not None
        self._worker.process.kill()
        await self._worker.process.wait()
        self._soak.figures.kills += 1
        await execute("UPDATE couplings SET leased_until = clock_timestamp() WHERE lease_token IS NOT NULL")
        await self.start()


async def play(args: argparse.Namespace, folder: Path) -> tuple[Figures, BaseException | None]:
    """The soak on engines of its own: what happened, and what went wrong."""
    async with Engines(folder / "engines") as engines:
        server = TestServer(engines)
        await server.make_template()
        url = await server.clone()
        async with TortoiseContext() as context:
            await context.init(config=configuration(url), _enable_global_fallback=True)
            soak = CouplingSoak(
                url, engines.redis_url, folder, contracts=args.contracts, milestones=args.milestones, seed=args.seed,
                tell=lambda line: print(line, file=sys.stderr, flush=True),
            )  # fmt: skip
            try:
                await soak.run(seconds=args.seconds, kills=args.kills, changes_per_second=args.rate)
            except (Exception, Wrong) as error:  # noqa: BLE001 - whatever it was, it is told with the figures
                return soak.figures, error
            return soak.figures, None


def main(arguments: Sequence[str]) -> int:
    """Print the figures, and what went wrong."""
    parser = argparse.ArgumentParser(prog="tests.soak connectors")
    parser.add_argument("--contracts", type=int, default=8, help="default: %(default)s")
    parser.add_argument("--milestones", type=int, default=125, help="of each; default: %(default)s")
    parser.add_argument("--seconds", type=float, default=600.0, help="for so long people edit; default: %(default)s")
    parser.add_argument("--kills", type=int, default=50, help="default: %(default)s")
    parser.add_argument("--rate", type=float, default=3.0, help="changes by people in a second; default: %(default)s")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(arguments)
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
    folder = Path(tempfile.mkdtemp(prefix="earnest-soak-"))
    folder.chmod(0o711)  # as root, PostgreSQL runs as another user and must be able to pass
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that nothing is left running
    figures, error = asyncio.run(play(args, folder))
    print("\n".join(figures.lines()))
    shutil.rmtree(folder / "engines", ignore_errors=True)
    if error is None:
        shutil.rmtree(folder, ignore_errors=True)
        print("All sides say the same, and nothing is there twice.")
        return 0
    print("\nIT WENT WRONG:\n" + "".join(traceback.format_exception(error)))
    print(f"The workers' logs are in {folder}.")
    return 1
