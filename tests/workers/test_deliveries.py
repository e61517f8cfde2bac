"""Workers that are killed, paused or left without Redis while they send: nothing lost, nothing doubled, nothing out of order."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from pathlib import Path
from typing import Final

import pytest
from redis.asyncio import Redis

from earnest.engines.redis import EmbeddedRedis
from escrow import database as db
from escrow.audit import audit
from tests.factories import Deal, Deployment, make_endpoint
from tests.webhooks.partner import (
    HANG,
    Arrival,
    Partners,
    caught_up,
    fan_out_only,
    in_order,
    make_due,
    matching,
    partners,
    pending,
    states,
)
from tests.workers.process import WorkerProcess, until, worker
from tests.workers.test_engines_away import own_redis as own_redis
from webhooks.audit import audit_deliveries
from webhooks.request.answers import ErrorClass

SHORT: Final = {"hurry": True, "timing": {"lease_seconds": 3.0, "request_seconds": 1.0}}
"""Leases that end within a test."""

BEGINS_SOON: Final = {"hurry": True, "timing": {"lease_seconds": 62.0, "request_seconds": 60.0}}
"""A request begins within two seconds of its lease or not at all, and then takes as long as a busy machine makes it."""


async def well() -> None:
    assert [difference async for difference in audit()] == []
    assert [difference async for difference in audit_deliveries()] == []


async def expire_leases() -> None:
    """The end of every lease, without waiting for it."""
    await db.execute("UPDATE lanes SET due_at = clock_timestamp() WHERE token IS NOT NULL")


def everything_came(partner: Partners, wanted: set[tuple[str, str]]) -> bool:
    return set(partner.accepted()) == {event_id for event_id, _ in wanted}


@pytest.mark.parametrize(
    "point", ["in_mid_request", "before_completing", "after_completing", "in_mid_fan_out", "after_fan_out"]
)
async def test_a_worker_killed_at_any_point_loses_nothing_and_what_comes_twice_has_the_same_id(
    database: str, redis_url: str, tmp_path: Path, point: str
) -> None:
    there = await Deployment.make()
    async with partners() as partner:
        await make_endpoint(there.client, partner.url())
        await fan_out_only()
        dies = (
            {} if point == "in_mid_request" else {"point": point}
        )  # the first is killed once its request is known to have come
        if not dies:
            partner.replies["/hook"] = HANG
        async with worker(database, redis_url, tmp_path / "first.log", delivering=dies) as first:
            await first.says("worker works")
            deal = await there.propose()
            if not dies:
                await until(lambda: came(partner, 1))
                first.process.kill()
            assert await first.exit_code() == -signal.SIGKILL
        partner.replies["/hook"] = 200
        sent_before = list(partner.events())
        assert await pending() == (
            0 if point == "in_mid_fan_out" else len(await deal.types()) - (point == "after_completing")
        )
        await expire_leases()
        async with worker(database, redis_url, tmp_path / "second.log") as second:
            await second.says("worker works")
            await deal.accept()

            async def delivered() -> bool:
                return bool(await db.fetch_value("SELECT count(*) FROM deliveries WHERE state = 'DELIVERED'") == 4)

            await until(delivered)
        wanted = await matching()
        assert everything_came(partner, wanted)
    assert in_order(partner.arrivals)
    times = Counter(partner.events())
    twice = {event_id for event_id, count in times.items() if count > 1}
    assert twice == (set(sent_before) if point in ("in_mid_request", "before_completing") else set())
    attempts = await db.fetch("SELECT error, status, is_late FROM delivery_attempts ORDER BY started_at")
    cut_off = [row for row in attempts if row["error"] == ErrorClass.ABANDONED]
    assert len(cut_off) == (0 if point == "in_mid_fan_out" else 1)
    assert len(attempts) == len(wanted) + len(cut_off), "every attempt left a row"
    await well()


async def test_an_answer_that_comes_after_the_lease_completes_nothing(
    database: str, redis_url: str, tmp_path: Path
) -> None:
    there = await Deployment.make()
    async with partners() as partner:
        await make_endpoint(there.client, partner.url())
        await fan_out_only()
        partner.hold()
        async with (
            worker(database, redis_url, tmp_path / "slow.log") as slow,
            worker(database, redis_url, tmp_path / "other.log") as other,
        ):
            await slow.says("worker works")
            await other.says("worker works")
            await there.propose()
            await until(lambda: came(partner, 1))
            await expire_leases()
            await until(lambda: came(partner, 2))
            partner.let_go()
            await caught_up()

            async def all_noted() -> bool:  # a lease that was taken over leaves an attempt before its answer is there
                noted = "SELECT count(*) FROM delivery_attempts WHERE status IS NOT NULL"
                return bool(await db.fetch_value(noted) == len(partner.arrivals))

            await until(all_noted)
    first = partner.events()[0]
    assert partner.events().count(first) == 2
    assert set(partner.accepted()) == {event_id for event_id, _ in await matching()}
    attempts = await db.fetch(
        "SELECT status, error, is_late FROM delivery_attempts JOIN deliveries ON deliveries.id = delivery_id "
        "WHERE event_id = $1 ORDER BY is_late",
        first,
    )
    assert [tuple(row) for row in attempts] == [(200, None, False), (200, None, True)]
    assert in_order(partner.arrivals)
    await well()


async def came(partner: Partners, count: int) -> bool:
    return len(partner.arrivals) >= count


async def test_a_worker_paused_past_its_lease_sends_nothing_old_after_something_newer(
    database: str, redis_url: str, tmp_path: Path
) -> None:
    there = await Deployment.make()
    async with partners() as partner:
        await make_endpoint(there.client, partner.url())
        await fan_out_only()
        stops = BEGINS_SOON | {"point": "before_sending", "signal": "SIGSTOP"}
        async with worker(database, redis_url, tmp_path / "paused.log", delivering=stops) as paused:
            await paused.says("worker works")
            deal = await there.propose()
            await until(lambda: leased(1))
            await until(lambda: is_stopped(paused))
            async with worker(database, redis_url, tmp_path / "other.log") as other:
                await other.says("worker works")
                await until(lambda: leased(1, for_seconds=2.0))
                await expire_leases()
                await deal.accept()
                await caught_up()
                delivered = list(partner.events())
                paused.signal(signal.SIGCONT)
                # It is at work again: it takes part in what comes now.
                await deal.confirm(await deal.fund())
                await caught_up()
                other.process.kill()
                await other.exit_code()
                await deal.submit()
                await caught_up()
    assert len(delivered) == 4
    assert Counter(partner.events()).most_common(1)[0][1] == 1, (
        "nothing twice, though nothing was sent before the pause"
    )
    assert in_order(partner.arrivals)
    errors = await db.fetch("SELECT error, is_late FROM delivery_attempts WHERE error IS NOT NULL")
    assert [tuple(row) for row in errors] == [(ErrorClass.ABANDONED, False)]
    await well()


async def leased(count: int, *, for_seconds: float = 0.0) -> bool:
    """Whether so many lanes have been leased for so long."""
    since = "SELECT count(*) FROM lanes WHERE leased_at <= clock_timestamp() - $1 * interval '1 second'"
    return bool(await db.fetch_value(since, for_seconds) >= count)


async def is_stopped(process: WorkerProcess) -> bool:
    stat = Path(f"/proc/{process.process.pid}/stat").read_text()
    return stat.rpartition(") ")[2].startswith("T")


async def test_two_sequencers_of_which_one_is_killed_in_the_middle_lose_and_double_nothing(
    database: str, redis_url: str, tmp_path: Path
) -> None:
    there = await Deployment.make()
    async with partners() as partner:
        await make_endpoint(there.client, partner.url())
        await fan_out_only()
        async with worker(database, redis_url, tmp_path / "steady.log", delivering=SHORT) as steady:
            await steady.says("worker works")
            for number, point in enumerate(("in_mid_fan_out", "after_fan_out"), start=2):
                dies = SHORT | {"point": point, "after": number}
                async with worker(database, redis_url, tmp_path / f"{number}.log", delivering=dies) as doomed:
                    await doomed.says("worker works")
                    deals: list[Deal] = []
                    while doomed.process.returncode is None:
                        deals.append(await there.propose())
                        await asyncio.sleep(0.02)
                    assert await doomed.exit_code() == -signal.SIGKILL
            await caught_up()

            async def all_sequenced() -> bool:
                return bool(await db.fetch_value("SELECT count(*) FROM log_pending") == 0) and await pending() == 0

            await until(all_sequenced)
        wanted = {event_id for event_id, _ in await matching()}
        assert set(partner.accepted()) == wanted
        assert await states() == {"DELIVERED": len(wanted)}
    assert in_order(partner.arrivals)
    await well()


async def test_deliveries_go_on_while_redis_is_away_flushed_and_back(
    database: str, own_redis: EmbeddedRedis, tmp_path: Path
) -> None:
    there = await Deployment.make()
    async with partners() as partner:
        await make_endpoint(there.client, partner.url())
        await fan_out_only()
        failing = [True]
        partner.replies["/hook"] = lambda arrival: (
            500 if failing[0] and arrival.body["type"] == "contract.accepted" else 200
        )
        async with worker(database, own_redis.url, tmp_path / "worker.log") as process:
            await process.says("Redis is away")
            deal = await there.propose()
            await until(lambda: delivered(3))
            await own_redis.start()
            await process.says("Redis is back")
            await deal.accept()
            await until(lambda: refused(partner))
            client = Redis.from_url(own_redis.url)
            await client.flushall()
            await client.aclose()
            failing[0] = False

            async def taken() -> bool:
                await make_due()  # the end of its pause
                return await pending() == 0

            await until(taken)
            await own_redis.stop()
            await deal.confirm(await deal.fund())
            await until(lambda: delivered(8))
            assert process.process.returncode is None
    assert set(partner.accepted()) == {event_id for event_id, _ in await matching()}
    assert in_order(partner.arrivals)
    await well()


async def delivered(count: int) -> bool:
    return bool(await db.fetch_value("SELECT count(*) FROM deliveries WHERE state = 'DELIVERED'") == count)


async def refused(partner: Partners) -> bool:
    return any(status == 500 for _, status in partner.answered)


async def test_timestamps_are_right_on_a_host_whose_clock_is_wrong(
    database: str, redis_url: str, tmp_path: Path
) -> None:
    there = await Deployment.make()
    async with partners() as partner:
        await make_endpoint(there.client, partner.url())
        await fan_out_only()
        async with worker(database, redis_url, tmp_path / "skewed.log", skew_days=3) as skewed:
            await skewed.says("worker works")
            await there.propose()
            await until(lambda: delivered(3))
        now = int(await db.fetch_value("SELECT extract(epoch FROM clock_timestamp())::bigint"))
        assert all(abs(now - int(arrival.headers["webhook-timestamp"])) < 3_600 for arrival in partner.arrivals)
        apart = await db.fetch_value(
            "SELECT max(abs(extract(epoch FROM clock_timestamp() - started_at))) FROM delivery_attempts"
        )
        assert apart < 3_600


async def test_a_worker_that_is_told_to_stop_hands_back_what_it_was_sending(
    database: str, redis_url: str, tmp_path: Path
) -> None:
    there = await Deployment.make()
    async with partners() as partner:
        await make_endpoint(there.client, partner.url())
        await fan_out_only()
        hangs: list[Arrival] = []
        partner.replies["/hook"] = lambda arrival: HANG if not hangs and hangs.append(arrival) is None else 200  # type: ignore[func-returns-value]
        async with worker(database, redis_url, tmp_path / "first.log") as first:
            await first.says("worker works")
            await there.propose()
            await until(lambda: came(partner, 1))
            first.signal(signal.SIGTERM)
            assert await first.exit_code() == 0
            assert "Traceback" not in first.log, first.log
        row = await db.fetch_row("SELECT token, failures, due_at <= clock_timestamp() AS is_due FROM lanes")
        assert row is not None
        assert tuple(row) == (None, 0, True)
        assert [tuple(r) for r in await db.fetch("SELECT error FROM delivery_attempts")] == [("INTERRUPTED",)]
        async with worker(database, redis_url, tmp_path / "second.log"):
            await caught_up()
    assert set(partner.accepted()) == {event_id for event_id, _ in await matching()}
    await well()
