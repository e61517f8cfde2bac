"""Hundreds of contracts, four workers of which some are killed, and receivers that fail at random.

In the end each event that an endpoint should get has exactly one delivery, in a final state, and of no contract did anything
arrive after something newer.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from escrow import database as db
from escrow.agreement import commands as c
from escrow.audit import audit
from escrow.pipeline import run
from tests.chance import often
from tests.factories import Deployment, make_endpoint
from tests.webhooks.partner import HANG, Arrival, fan_out_only, in_order, matching, partners
from tests.workers.process import until, worker
from webhooks.audit import audit_deliveries
from webhooks.delivery.retries import DELAYS_SECONDS

CONTRACTS: Final = often(300, deep=2_000)
WORKERS: Final = 4
KILLS: Final = 3
HOPELESS_OUT_OF: Final = 30
"""One contract of so many has an event that its receiver never takes."""

PATIENCE_SECONDS: Final = 600.0
"""For everything to be delivered, which takes some seconds on a quiet machine."""

HURRY: Final = {"hurry": True, "timing": {"lease_seconds": 8.0, "request_seconds": 5.0}}


class Whims:
    """What a receiver feels like: a fifth fails one way or another, and the second event of some contracts always."""

    def __init__(self) -> None:
        self._dice = random.Random(4)
        self.doomed: set[str] = set()
        """Contracts."""
        self.tries: Counter[str] = Counter()
        """Of their second events, by event."""

    def __call__(self, arrival: Arrival) -> int:
        if arrival.stream in self.doomed and arrival.body["data"]["event"]["sequence"] == 2:
            self.tries[arrival.event_id] += 1
            return 500
        if self._dice.random() < 0.8:
            return 200
        return self._dice.choice([500, 503, 404, 301, *([HANG] if self._dice.random() < 0.01 else [])])


async def came_more(arrivals: list[Arrival], count: int) -> None:
    """Wait until so many more requests have come."""
    enough = len(arrivals) + count

    async def came() -> bool:
        return len(arrivals) >= enough

    await until(came, within_seconds=PATIENCE_SECONDS)


async def test_hundreds_of_contracts_random_failures_and_killed_workers_leave_no_gap_and_no_disorder(
    database: str, redis_url: str, tmp_path: Path
) -> None:
    there = await Deployment.make()
    whims = Whims()
    async with partners() as partner, AsyncExitStack() as stack:
        partner.replies |= {"/a": whims, "/b": whims}
        ends = {
            "/a": (await make_endpoint(there.client, partner.url("/a"))).id,
            "/b": (await make_endpoint(there.freelancer, partner.url("/b"))).id,
        }
        await fan_out_only()
        workers = [
            await stack.enter_async_context(worker(database, redis_url, tmp_path / f"{n}.log", delivering=HURRY))
            for n in range(WORKERS)
        ]
        for process in workers:
            await process.says("worker works")
        places = asyncio.Semaphore(8)

        async def live(number: int) -> None:
            async with places:
                proposal = there.proposal("10.00")
                if number % HOPELESS_OUT_OF == 0:
                    whims.doomed.add(proposal.contract_id)  # before anybody can be told of it
                await run(proposal, by=there.client)
                await run(c.Accept(contract_id=proposal.contract_id, revision=1), by=there.freelancer)

        lives = asyncio.gather(*(live(number) for number in range(CONTRACTS)))
        for kill in range(KILLS):
            await came_more(partner.arrivals, CONTRACTS // 5)
            workers[kill].process.kill()
            workers[kill] = await stack.enter_async_context(
                worker(database, redis_url, tmp_path / f"again-{kill}.log", delivering=HURRY)
            )
        await lives

        async def done() -> bool:
            await db.execute("UPDATE endpoint_health SET open_until = NULL WHERE open_until IS NOT NULL")
            left = "SELECT (SELECT count(*) FROM log_pending) + (SELECT count(*) FROM lanes WHERE due_at IS NOT NULL)"
            return bool(await db.fetch_value(left) == 0)

        await until(done, within_seconds=PATIENCE_SECONDS)
    wanted = await matching()
    rows = await db.fetch("SELECT event_id, endpoint_id, state FROM deliveries")
    found = Counter((row["event_id"], row["endpoint_id"]) for row in rows)
    assert found == Counter(wanted)
    assert {row["state"] for row in rows} == {"DELIVERED", "FAILED"}
    failed = {(row["event_id"], row["endpoint_id"]) for row in rows if row["state"] == "FAILED"}
    assert len(whims.tries) == len(whims.doomed) == CONTRACTS // HOPELESS_OUT_OF
    assert {event_id for event_id, _ in failed} >= whims.tries.keys()
    accepted = {(event_id, ends[path]) for path in ends for event_id in partner.accepted(path)}
    assert accepted == wanted - failed
    assert in_order(partner.arrivals)
    assert min(whims.tries.values()) >= len(DELAYS_SECONDS) + 1
    after_failed = [a for a in partner.arrivals if "previousFailed" in a.body["data"]]
    assert {a.body["data"]["previousFailed"] for a in after_failed} <= {event_id for event_id, _ in failed}
    assert after_failed
    assert [difference async for difference in audit()] == []
    assert [difference async for difference in audit_deliveries()] == []
