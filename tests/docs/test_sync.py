"""The mirror of the sync page, run as it stands there: killed at random points while writers write, it converges."""

from __future__ import annotations

import asyncio
import os
import random
import re
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from escrow import database, ids
from escrow.access import PROVIDER
from escrow.agreement import commands as c
from escrow.errors import DomainError
from escrow.ids import Kind
from escrow.pipeline import run
from escrow.queries import feed
from tests.api.live.serving import Served, serve, settled
from tests.factories import Deal, Deployment, draft, usd
from tests.workers.process import until

PAGE = Path(__file__).parents[2] / "docs" / "integrating" / "sync.md"
WRITERS = 8
COMMANDS_EACH = 25
KILLS = 8
LINES_MAX = 75


def program() -> str:
    """The mirror as the page shows it."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert isinstance(code, str)
    return code


def test_the_mirror_is_about_sixty_lines_of_python() -> None:
    said = [line for line in program().splitlines() if line.strip() and not line.lstrip().startswith(("import", "#"))]
    assert len(said) <= LINES_MAX


@asynccontextmanager
async def mirroring(served: Served, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """The mirror, running; killed at the end if it still lives."""
    (folder / "mirror.py").write_text(program())
    environ = os.environ | {"EARNEST_URL": served.url, "EARNEST_KEY": served.people.client.token or ""}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "mirror.py", "mirror.db", cwd=folder, env=environ, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def truth(served: Served) -> tuple[set[tuple[Any, ...]], set[tuple[Any, ...]]]:
    """Contracts and milestones as the tables have them, those of every revision included."""
    client = served.people.client.account_id
    contracts = await database.fetch(
        "SELECT id, state, title, currency, revision, plan_version, version FROM contracts WHERE client_id = $1", client
    )
    milestones = await database.fetch(
        "SELECT id, contract_id, revision, position, state, title, due_on::text, (amount_minor / 100.0)::numeric(20, 2)::text "
        "FROM milestones WHERE client_id = $1",
        client,
    )
    return {tuple(row) for row in contracts}, {tuple(row) for row in milestones}


def copy(folder: Path) -> tuple[set[tuple[Any, ...]], set[tuple[Any, ...]]]:
    """Contracts and milestones as the mirror has them."""
    if not (folder / "mirror.db").exists():
        return set(), set()
    store = sqlite3.connect(f"file:{folder / 'mirror.db'}?mode=ro", uri=True, timeout=10)
    try:
        return set(store.execute("SELECT * FROM contracts")), set(store.execute("SELECT * FROM milestones"))
    except sqlite3.OperationalError:  # it was killed before it had made its tables
        return set(), set()
    finally:
        store.close()


async def write(there: Deployment, deals: list[Deal], rng: random.Random) -> None:
    """Commands by chance on contracts that others write to as well; what is refused is refused."""
    for _ in range(COMMANDS_EACH):
        if rng.random() < 0.08:
            deals.append(await there.propose(*["10.00"] * rng.randint(1, 4)))
        deal = rng.choice(deals)
        try:
            await rng.choice(COMMANDS)(there, deal, rng)
        except DomainError:
            await asyncio.sleep(0.005)


async def write_surely(there: Deployment) -> None:
    """What chance may leave out: a contract of which nobody else knows, with a milestone in each of four states."""
    deal = await there.fund("10.00", "20.00", "30.00", "40.00")
    await deal.submit(1)
    await deal.approve(1)
    for position in (2, 3):
        await deal.confirm(await deal.fund(position))
    await deal.submit(2)


def _any(deal: Deal, rng: random.Random) -> str:
    return rng.choice(deal.milestone_ids)


async def _add(there: Deployment, deal: Deal, rng: random.Random) -> None:
    command = c.AddMilestone(contract_id=deal.id, milestone=draft(), position=rng.choice([None, 1, 2, 3]))
    await run(command, by=there.client)
    deal.milestone_ids.append(command.milestone.id)


async def _import(there: Deployment, deal: Deal, rng: random.Random) -> None:
    rows = tuple(
        c.ImportRow(
            milestone_id=ids.new(Kind.MILESTONE), external_id=f"{deal.id} {rng.randint(1, 6)}", title="Imported",
            purpose="It was there", amount=usd(f"{rng.randint(1, 99)}.00"), due_on=draft().due_on,
        )
        for _ in range(1)
    )  # fmt: skip
    await run(c.ImportMilestones(contract_id=deal.id, system="tool", rows=rows), by=there.client)


async def _revise(there: Deployment, deal: Deal, rng: random.Random) -> None:
    plan = tuple(draft(amount="7.00") for _ in range(rng.randint(1, 3)))
    await run(c.Revise(contract_id=deal.id, terms=c.Terms(title="Another"), plan=plan), by=there.freelancer)
    deal.milestone_ids[:] = [milestone.id for milestone in plan]


async def _decline(there: Deployment, deal: Deal, rng: random.Random) -> None:
    if rng.random() < 0.2:
        await run(c.Decline(contract_id=deal.id), by=there.freelancer)


async def _pay(there: Deployment, deal: Deal, rng: random.Random) -> None:
    waiting = await database.fetch_value(
        "SELECT id FROM milestones WHERE contract_id = $1 AND state = 'PLANNED' ORDER BY position LIMIT 1", deal.id
    )
    deal.milestone_ids[:0] = [waiting] if waiting not in (None, *deal.milestone_ids) else []
    if waiting is None:
        return
    deposit_id = await deal.fund(deal.milestone_ids.index(waiting) + 1)
    if rng.random() < 0.3:
        await run(c.FailDeposit(contract_id=deal.id, deposit_id=deposit_id, reason="no"), by=PROVIDER)
    else:
        await deal.confirm(deposit_id)


COMMANDS: list[Callable[[Deployment, Deal, random.Random], Any]] = [
    lambda there, deal, rng: deal.accept(),
    lambda there, deal, rng: deal.accept(),
    _decline,
    _add,
    _import,
    _revise,
    _pay,
    _pay,
    lambda there, deal, rng: run(
        c.MoveMilestone(milestone_id=_any(deal, rng), position=rng.randint(1, 4)), by=there.client
    ),
    lambda there, deal, rng: run(c.RemoveMilestone(milestone_id=_any(deal, rng)), by=there.client),
    lambda there, deal, rng: run(
        c.EditMilestone(milestone_id=_any(deal, rng), title=f"Title {rng.random()}"), by=there.client
    ),
    lambda there, deal, rng: deal.submit(rng.randint(1, len(deal.milestone_ids))),
    lambda there, deal, rng: deal.approve(rng.randint(1, len(deal.milestone_ids))),
]


@pytest.mark.usefixtures("database")
async def test_killed_at_random_points_while_writers_write_the_mirror_converges(redis_url: str, tmp_path: Path) -> None:
    rng = random.Random(5)
    async with serve(redis_url) as served:
        there = served.people.deployment
        deals = [await there.propose("10.00", "20.00", "30.00") for _ in range(4)]
        writers = [asyncio.create_task(write(there, deals, random.Random(seed))) for seed in range(WRITERS)]
        writers.append(asyncio.create_task(write_surely(there)))
        for _ in range(KILLS):
            async with mirroring(served, tmp_path):
                await asyncio.sleep(rng.uniform(0.15, 0.9))
        await asyncio.gather(*writers)
        async with mirroring(served, tmp_path):
            expected = await truth(served)

            async def converged() -> bool:
                return copy(tmp_path) == expected

            await until(converged, otherwise=lambda: _differences(copy(tmp_path), expected))
        assert len(expected[1]) > len(deals)
        assert {row[4] for row in expected[1]} >= {"PLANNED", "FUNDED", "SUBMITTED", "RELEASED"}


def _differences(copied: tuple[set[Any], set[Any]], expected: tuple[set[Any], set[Any]]) -> str:
    return "\n".join(
        f"{one - other}" for pair in zip(copied, expected, strict=True) for one, other in (pair, pair[::-1])
    )


@pytest.mark.usefixtures("database")
async def test_the_mirror_asks_when_the_bell_rings_and_not_in_between(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    page = feed.changes_page

    async def counted(*args: Any, **given: Any) -> Any:
        nonlocal asked
        asked += 1
        return await page(*args, **given)

    monkeypatch.setattr(feed, "changes_page", counted)
    async with serve(redis_url) as served:
        deal = await served.people.deployment.propose("10.00")
        before = await settled()
        async with mirroring(served, tmp_path):

            async def has_it() -> bool:
                return copy(tmp_path) == await truth(served)

            await until(has_it)
            await served.readers(1)
            await asyncio.sleep(1.0)  # for one that asks in between
            assert asked <= 2, "it asks when it begins and when the stream opens"
            await deal.accept()
            await until(has_it)
            rung = await settled() - before
            await asyncio.sleep(1.0)
            assert asked <= 2 + rung, "it asked although nothing rang"
