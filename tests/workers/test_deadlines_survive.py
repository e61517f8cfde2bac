"""Whatever dies: Redis flushed or gone, PostgreSQL restarted, workers killed in mid-fire, many at once, none for a week.

Each time every deadline is fired once, at its due time, in due order per contract, and the audit is clean.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis
from tortoise.context import TortoiseContext

from earnest.engines import Engines
from earnest.engines.processes import Record
from earnest.engines.redis import EmbeddedRedis
from escrow import clock, database
from escrow.access import ActorKind
from escrow.agreement import commands as c
from escrow.audit import audit
from escrow.errors import DomainError, ErrorCode
from escrow.migrate import migrate
from escrow.pipeline import run
from tests.factories import Deal, Deployment, advance_clock
from tests.workers.process import until, worker
from tests.workers.sweeping import (
    due_times,
    each_once,
    nothing_is_due,
    releases,
    set_clock,
    several,
    sweeping,
)
from tests.workers.test_engines_away import STOP_SECONDS_MAX

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


@pytest.fixture
async def own_redis() -> AsyncIterator[EmbeddedRedis]:
    """A Redis of this test's own, not started yet."""
    with tempfile.TemporaryDirectory(prefix="earnest-", dir="/tmp") as folder:
        sockets = Path(folder)
        redis = EmbeddedRedis(sockets=sockets, log=sockets / "redis.log", record=Record(sockets / "processes.json"))
        yield redis
        await redis.stop()


async def fire(deals: list[Deal]) -> None:
    """Let silence take its course on these contracts, and wait until it has."""
    due = await due_times(deals)
    await set_clock(max(due.values()))
    await nothing_is_due()
    await each_once(due, deals)


async def test_redis_flushed_stopped_and_started_again_loses_nothing(
    database: str, own_redis: EmbeddedRedis, tmp_path: Path
) -> None:
    there = await Deployment.make()
    await own_redis.start()
    async with worker(database, own_redis.url, tmp_path / "worker.log") as process:
        await process.says("worker works")
        deals = await several(there, 5)
        client = Redis.from_url(own_redis.url)
        await client.flushall()
        await client.aclose()
        await fire(deals)
        deals = await several(there, 5)
        await own_redis.stop()
        await process.says("Redis is away")
        await fire(deals)
        await fire(await several(there, 5))
        await own_redis.start()
        await process.says("Redis is back")
        await fire(await several(there, 5))
        assert process.process.returncode is None


async def test_postgresql_restarted_loses_nothing(tmp_path: Path) -> None:
    async with Engines(tmp_path / "engines") as engines:
        postgres = engines._postgres
        assert postgres is not None
        await migrate(engines.database_url)
        context = TortoiseContext()
        with context:
            await context.init(config=database.configuration(engines.database_url))
            there = await Deployment.make()
            async with worker(engines.database_url, engines.redis_url, tmp_path / "worker.log") as process:
                await process.says("worker works")
                deals = await several(there, 10)
                due = await due_times(deals)
                await set_clock(max(due.values()) - SECOND)
                await postgres.stop()
                await asyncio.sleep(1.0)  # meanwhile it falls due
                await postgres.start()
                await until(answers)
                await nothing_is_due()
                await each_once(due, deals)
                assert process.process.returncode is None
                assert "Traceback" not in process.log, process.log
            await context.close_connections()


async def answers() -> bool:
    try:
        return bool(await database.fetch_value("SELECT true"))
    except database.AWAY:
        return False


@pytest.mark.parametrize("point", ["before_firing", "while_firing", "after_firing"])
async def test_a_worker_killed_in_mid_fire_loses_and_doubles_nothing(
    database: str, redis_url: str, tmp_path: Path, point: str
) -> None:
    there = await Deployment.make()
    deals = await several(there, 20)
    due = await due_times(deals)
    await set_clock(max(due.values()))
    async with worker(database, redis_url, tmp_path / "first.log", point=point) as first:
        assert await first.exit_code() == -signal.SIGKILL
    left = len(deals) - len(await releases(deals))
    assert left > 0
    async with worker(database, redis_url, tmp_path / "second.log"):
        await nothing_is_due()  # also those whose leases the dead one held
    await each_once(due, deals)


@pytest.mark.parametrize("workers", [2, 4])
async def test_several_workers_at_once_fire_each_deadline_once(
    database: str, redis_url: str, tmp_path: Path, workers: int
) -> None:
    there = await Deployment.make()
    deals = await several(there, 60)
    due = await due_times(deals)
    async with contextlib.AsyncExitStack() as stack:
        started = [
            await stack.enter_async_context(worker(database, redis_url, tmp_path / f"{number}.log"))
            for number in range(workers)
        ]
        for process in started:
            await process.says("worker works")
        await set_clock(min(due.values()) - 0.2 * SECOND)
        await set_clock(max(due.values()))
        await nothing_is_due()
    await each_once(due, deals)


async def test_after_a_week_without_any_worker_everything_fires_once_in_due_order_at_its_own_time(
    database: str, redis_url: str, tmp_path: Path
) -> None:
    there = await Deployment.make()
    deals = await several(there, 10, "10.00", "20.00")
    for deal in deals:
        await deal.fund(2)  # a second clock, which ends eleven days before the first
    offered = [await there.propose() for _ in range(5)]
    await advance_clock(days=24.5)
    await there.propose()  # whose window has only begun
    reviews = await due_times(deals)
    await advance_clock(days=7)
    late = await clock.now()
    async with (
        worker(database, redis_url, tmp_path / "first.log"),
        worker(database, redis_url, tmp_path / "second.log"),
    ):
        await nothing_is_due()
    for deal in deals:
        happened = await fetch_clock_events(deal)
        assert [kind for kind, _ in happened] == ["deposit.abandoned", "milestone.released"]
        times = [at for _, at in happened]
        assert times == sorted(times)
        assert times[1] == reviews[deal.id]
        assert all(at < late - 7 * DAY for at in times), "when they were due, not when they were written"
    for deal in offered:
        assert [kind for kind, _ in await fetch_clock_events(deal)] == [
            "contract.expired",
            *["milestone.cancelled"] * 2,
        ]
    assert [difference async for difference in audit()] == []


async def fetch_clock_events(deal: Deal) -> list[tuple[str, datetime]]:
    rows = await database.fetch(
        "SELECT type, occurred_at FROM events WHERE stream_id = $1 AND body::json->'actor'->>'kind' = 'CLOCK' "
        "ORDER BY sequence",
        deal.id,
    )
    return [(row["type"], row["occurred_at"]) for row in rows]


@pytest.mark.parametrize("skew_days", [-400, 400])
async def test_a_host_whose_clock_is_wrong_changes_nothing(
    database: str, redis_url: str, tmp_path: Path, skew_days: int
) -> None:
    there = await Deployment.make()
    deals = await several(there, 3)
    due = await due_times(deals)
    await advance_clock(days=6)
    async with worker(database, redis_url, tmp_path / "worker.log", skew_days=skew_days) as process:
        await process.says("worker works")
        said = datetime.fromisoformat(process.log.partition("timestamp=")[2].partition(" ")[0])
        assert abs(said - datetime.now(UTC) - timedelta(days=skew_days)) < DAY, process.log
        await asyncio.sleep(0.5)
        assert await releases(deals) == {}, "not early"
        await set_clock(max(due.values()))
        await nothing_is_due()
    assert await releases(deals) == {contract_id: [at] for contract_id, at in due.items()}
    assert [difference async for difference in audit()] == []


async def test_a_signal_stops_a_worker_in_the_middle_of_it_and_leaves_no_lease(
    database: str, redis_url: str, tmp_path: Path
) -> None:
    there = await Deployment.make()
    deals = await several(there, 80)
    due = await due_times(deals)
    async with worker(database, redis_url, tmp_path / "first.log") as first:
        await first.says("worker works")
        await set_clock(max(due.values()))

        async def begun() -> bool:
            return len(await releases(deals)) > 0

        await until(begun)
        first.signal(signal.SIGTERM)
        assert await first.exit_code(within_seconds=STOP_SECONDS_MAX) == 0
        assert "Traceback" not in first.log, first.log
    assert await fetch_leases() == 0
    async with worker(database, redis_url, tmp_path / "second.log"):
        await nothing_is_due()
    await each_once(due, deals)


async def fetch_leases() -> int:
    count: int = await database.fetch_value("SELECT count(*) FROM deadline_sweeps")
    return count


# -- races ----------------------------------------------------------------------------------------------------------

TRIALS = 200
SLIPS = [
    *((0.0, 0.0), (-0.005, 0.0), (0.0, -0.005), (-0.01, -0.01), (0.005, -0.002), (-0.3, -0.3), (-0.02, -0.3)),
    (-60.0, -60.0),
]
"""By how many seconds the approval and the request for changes miss the end of the window. Some come in time for sure,
also on a busy machine."""


@pytest.mark.usefixtures("database")
async def test_approve_silence_and_a_request_for_changes_at_the_same_instant_have_one_winner_each_time() -> None:
    """200 contracts whose windows end within seconds of each other; three race for each, around its own due time."""
    there = await Deployment.make()
    deals = []
    for _ in range(TRIALS // 20):
        deals += await several(there, 20, "100.00")
    due = await due_times(deals)
    loop = asyncio.get_running_loop()
    lead = 0.5
    first = min(due.values())
    await set_clock(first - lead * SECOND)
    began, now = loop.time(), await clock.now()

    async def at_about(deal: Deal, after_seconds: float, command: c.PartyCommand) -> str:
        await asyncio.sleep(max(0.0, began + (due[deal.id] - now).total_seconds() + after_seconds - loop.time()))
        try:
            outcome = await run(command, by=there.client)
        except DomainError as refusal:
            return refusal.code.value
        mine = [one for one in outcome.recorded if one.recorded.actor.kind is ActorKind.ACCOUNT]
        return mine[0].type if mine else "nothing"

    async def trial(number: int, deal: Deal) -> tuple[str, str]:
        approving, changing = SLIPS[number % len(SLIPS)]
        approved, changed = await asyncio.gather(
            at_about(deal, approving, c.Approve(milestone_id=deal.milestone())),
            at_about(deal, changing, c.RequestChanges(milestone_id=deal.milestone(), note="Bluer")),
        )
        return approved, changed

    async with sweeping(2):
        answers_given = await asyncio.gather(*(trial(number, deal) for number, deal in enumerate(deals)))
        await nothing_is_due()
    silent = await releases(deals)
    for deal, (approved, changed) in zip(deals, answers_given, strict=True):
        happened = [kind for kind in await deal.types() if kind.startswith(("milestone.released", "milestone.changes"))]
        assert happened.count("milestone.released") == 1, "the money moved once"
        assert (approved == "milestone.released") == (deal.id not in silent)
        assert approved in ("milestone.released", "nothing"), "a late click is no error"
        assert changed in ("milestone.changes_requested", ErrorCode.INVALID_STATE.value)
        assert ("milestone.changes_requested" in happened) == (changed == "milestone.changes_requested")
        if deal.id in silent:
            assert silent[deal.id] == [due[deal.id]]
            assert changed == ErrorCode.INVALID_STATE.value
    ways = {(deal.id in silent, changed) for deal, (_, changed) in zip(deals, answers_given, strict=True)}
    assert len(ways) > 1, "one of them won every time: this was no race"
    moved = "SELECT count(*) FROM transfers WHERE debit LIKE 'escrow:%' AND credit LIKE 'payable:%'"
    assert await database.fetch_value(moved) == TRIALS
    assert [difference async for difference in audit()] == []


@pytest.mark.usefixtures("database")
async def test_submitting_again_while_the_window_ends_gives_either_the_release_or_a_fresh_window() -> None:
    there = await Deployment.make()
    deals = await several(there, 10, "100.00")
    due = await due_times(deals)
    await set_clock(min(due.values()) - 0.1 * SECOND)

    async def again(deal: Deal) -> None:
        with contextlib.suppress(DomainError):
            await deal.request_changes()
            await deal.submit()

    async with sweeping():
        await asyncio.gather(*(again(deal) for deal in deals))
        await set_clock(max(due.values()) + SECOND)
        await nothing_is_due()
    silent = await releases(deals)
    for deal in deals:
        assert (await deal.states() == ["RELEASED"]) == (deal.id in silent)
    assert [difference async for difference in audit()] == []
