"""A worker whose Redis or PostgreSQL goes away, and one that is told to stop."""

import signal
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis

from earnest.engines import Engines
from earnest.engines.processes import Record
from earnest.engines.redis import EmbeddedRedis
from escrow.database import fetch, fetch_value
from escrow.migrate import migrate
from tests.escrow.payments.stage import Deal, strike
from tests.workers.process import until, worker
from workers import cron

STOP_SECONDS_MAX = 40.0
"""Work may go on for 5 seconds and the engines are given 2 to say goodbye; the rest is this machine's."""


@pytest.fixture
async def own_redis() -> AsyncIterator[EmbeddedRedis]:
    """A Redis of this test's own, not started yet."""
    with tempfile.TemporaryDirectory(prefix="earnest-", dir="/tmp") as folder:
        sockets = Path(folder)
        redis = EmbeddedRedis(sockets=sockets, log=sockets / "redis.log", record=Record(sockets / "processes.json"))
        yield redis
        await redis.stop()


async def pay(deal: Deal, *, position: int) -> None:
    """Fund a milestone, wait for its turn, and approve it."""
    await deal.fund(position=position)

    async def active() -> bool:
        return await deal.milestone_state(position) == "ACTIVE"

    await until(active)
    await deal.approve(position=position)


async def sweep(url: str, deal: Deal) -> None:
    """Leave an old idempotency key, ask arq for the nightly sweep, and wait until it has swept."""
    put = """
        INSERT INTO idempotency_keys (account_id, key, input_sha256, result, created_at)
        VALUES ($1, 'old', sha256('x'), '{}', now() - interval '31 days')
    """
    await fetch(put, deal.client_id)
    async with cron.connection(url) as redis:
        await redis.enqueue_job("cron:forget_idempotency_keys")

    async def swept() -> bool:
        return bool(await fetch_value("SELECT count(*) FROM idempotency_keys WHERE key = 'old'") == 0)

    await until(swept)


async def test_a_worker_works_without_redis_and_loses_nothing_when_it_comes_is_flushed_and_leaves(
    database: str, own_redis: EmbeddedRedis, tmp_path: Path
) -> None:
    deal = await strike("10.00", "20.00", "30.00", "40.00")
    async with worker(database, own_redis.url, tmp_path / "worker.log") as process:
        await process.says("Redis is away")
        await pay(deal, position=1)
        await own_redis.start()
        await process.says("Redis is back")
        await pay(deal, position=2)
        await sweep(own_redis.url, deal)
        client = Redis.from_url(own_redis.url)
        await client.flushall()
        await client.aclose()
        await pay(deal, position=3)
        await sweep(own_redis.url, deal)
        await own_redis.stop()
        await pay(deal, position=4)
        assert process.process.returncode is None
    assert await deal.events("deposit.confirmed", "contract.completed") == [
        *["deposit.confirmed"] * 4,
        "contract.completed",
    ]


async def put_event(connection: asyncpg.Connection, number: int) -> None:
    """An event as a command would have written it, as far as the sequencer looks."""
    event_id = f"evt_{number:026}"
    digest = f"{number:064}"
    async with connection.transaction():
        await connection.execute(
            "INSERT INTO events (id, stream_id, sequence, type, schema_version, occurred_at, body, hash, previous_hash) "
            "VALUES ($1, 'ctr_1', $2, 'contract.declined', 1, now(), '{}', $3, $4)",
            event_id,
            number,
            digest,
            None if number == 1 else f"{number - 1:064}",
        )
        await connection.execute("INSERT INTO log_pending (stream_id, event_id) VALUES ('ctr_1', $1)", event_id)


async def positioned(url: str, count: int) -> None:
    """Wait until the log has so many positions."""
    connection = await asyncpg.connect(url)

    async def done() -> bool:
        return bool(await connection.fetchval("SELECT count(*) FROM log_positions") == count)

    try:
        await until(done)
    finally:
        await connection.close()


async def test_a_worker_starts_before_postgresql_and_goes_on_after_its_restart(tmp_path: Path) -> None:
    async with Engines(tmp_path / "engines") as engines:
        postgres = engines._postgres
        assert postgres is not None
        await migrate(engines.database_url)
        await postgres.stop()
        async with worker(engines.database_url, engines.redis_url, tmp_path / "worker.log") as process:
            await process.says("pump starts again")
            for number in (1, 2):
                await postgres.start()
                connection = await asyncpg.connect(engines.database_url)
                await put_event(connection, number)
                await connection.close()
                await positioned(engines.database_url, number)
                await postgres.stop()
            assert process.process.returncode is None
            assert "Traceback" not in process.log, process.log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_a_worker_within_seconds(
    database: str, redis_url: str, tmp_path: Path, number: signal.Signals
) -> None:
    async with worker(database, redis_url, tmp_path / "worker.log") as process:
        await process.says("worker works")
        process.signal(number)
        assert await process.exit_code(within_seconds=STOP_SECONDS_MAX) == 0
        assert "Traceback" not in process.log, process.log


async def test_a_signal_stops_a_worker_that_found_neither_engine(own_redis: EmbeddedRedis, tmp_path: Path) -> None:
    nowhere = f"postgres://postgres:@/earnest?host={tmp_path}"
    async with worker(nowhere, own_redis.url, tmp_path / "worker.log") as process:
        await process.says("pump starts again")
        process.signal(signal.SIGTERM)
        assert await process.exit_code(within_seconds=STOP_SECONDS_MAX) == 0


async def test_a_worker_logs_one_line_an_entry_and_no_url(
    database: str, own_redis: EmbeddedRedis, tmp_path: Path
) -> None:
    async with worker(database, own_redis.url, tmp_path / "worker.log") as process:
        await process.says("worker works")
        await process.says("pump=cron")
        process.signal(signal.SIGTERM)
        await process.exit_code()
        lines = process.log.splitlines()
        assert all(line.startswith("timestamp=") and " trace_id=" in line for line in lines), process.log
        assert "://" not in process.log


async def test_a_sweep_that_finds_postgresql_away_says_so_in_one_line_and_waits_for_it(tmp_path: Path) -> None:
    async with Engines(tmp_path / "engines") as engines:
        postgres = engines._postgres
        assert postgres is not None
        await migrate(engines.database_url)
        async with (
            worker(engines.database_url, engines.redis_url, tmp_path / "worker.log") as process,
            cron.connection(engines.redis_url) as redis,
        ):
            await process.says("worker works")
            connection = await asyncpg.connect(engines.database_url)
            await connection.execute(
                "INSERT INTO accounts (id, name, type, version, last_hash, last_event_at, created_at) "
                "VALUES ('acc_1', 'Somebody', 'COMPANY', 1, '', now(), now())"
            )
            await connection.execute(
                "INSERT INTO idempotency_keys (account_id, key, input_sha256, result, created_at) "
                "VALUES ('acc_1', 'old', sha256('x'), '{}', now() - interval '31 days')"
            )
            await connection.close()
            await postgres.stop()
            await redis.enqueue_job("cron:forget_idempotency_keys")
            await process.says("sweep put off")
            await postgres.start()
            connection = await asyncpg.connect(engines.database_url)

            async def swept() -> bool:
                return bool(await connection.fetchval("SELECT count(*) FROM idempotency_keys") == 0)

            await until(swept)
            await connection.close()
            assert "Traceback" not in process.log, process.log
