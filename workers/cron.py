"""Runs the hourly and nightly sweeps by arq; they may come late, and do no harm when they come twice.

It lives and dies with Redis, so nothing that anybody waits for is done here; the supervision starts it again when Redis
returns. Jobs are JSON in Redis, not pickle: whoever writes to Redis must not be able to run code here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC
from functools import wraps
from typing import Any, Final

import orjson
from arq import cron
from arq.connections import ArqRedis
from arq.typing import WorkerCoroutine
from arq.worker import Worker
from redis.asyncio import ConnectionPool

from escrow import database, idempotency, process_log
from escrow.payments import orders, reconciliation
from escrow.payments.provider import Provider
from webhooks.delivery import retention

QUEUE: Final = "earnest:cron"
POLL_SECONDS: Final = 1.0
FORGETTING_SECONDS_MAX: Final = 3600
"""What isn't done by then is done the next night."""

TOLD_MAX: Final = 20
"""Of so many differences that weren't known the log tells each by itself."""

RECONCILING_SECONDS_MAX: Final = 3600
"""The same for reading the provider's books."""

AGAIN_SECONDS: Final = 2.0
PATIENCE_SECONDS: Final = 240.0
"""For so long a sweep that finds PostgreSQL away tries again, less than arq lets a job run; then the next one does it."""

_log = logging.getLogger(__name__)


def patient(sweep: WorkerCoroutine) -> WorkerCoroutine:
    """The same, which waits while PostgreSQL is away, and says so in one line: an hourly sweep may fall into its restart."""

    @wraps(sweep)
    async def tried(ctx: dict[Any, Any], *given: Any, **named: Any) -> int:
        until = time.monotonic() + PATIENCE_SECONDS
        is_said = False
        while True:
            try:
                done: int = await sweep(ctx, *given, **named)
            except database.AWAY as error:
                if time.monotonic() > until:
                    _log.warning("sweep left out", extra={"error": error})
                    return 0
                if not is_said:
                    _log.warning("sweep put off", extra={"error": error, "pause": AGAIN_SECONDS})
                is_said = True
            else:
                return done
            await asyncio.sleep(AGAIN_SECONDS)

    return tried


@patient
async def forget_idempotency_keys(ctx: dict[Any, Any], *_: Any, **__: Any) -> int:
    """Every night: the keys of commands without a contract, older than they are kept. Answers how many they were."""
    return await idempotency.forget_expired()


@patient
async def reconcile_orders(ctx: dict[Any, Any], *_: Any, **__: Any) -> int:
    """Every hour: the orders that the provider has not settled are looked up, whatever was put off. Answers how many."""
    return await orders.reconcile()


@patient
async def reconcile_deposits(ctx: dict[Any, Any], *_: Any, **__: Any) -> int:
    """Every night: the deposits whose money is held, too, in case a reversal went unheard. Answers how many."""
    return await orders.reconcile(held=True)


@patient
async def reconcile_books(ctx: dict[Any, Any], *_: Any, **__: Any) -> int:
    """Every night: the provider's books are compared with the ledger, and their fees booked. Answers how much differs.

    What is new is told by itself, as far as it isn't too much; all of it is in one line.
    """
    outcome = await reconciliation.reconcile(ctx["provider"])
    for difference in outcome.new[:TOLD_MAX]:
        _log.error("the provider's books differ", extra={"difference": str(difference)})
    differences = (await reconciliation.standing()).differences
    if differences:
        extra = {"differences": differences, "new": len(outcome.new), "unlisted": outcome.unlisted}
        _log.error("the provider's books and ours don't agree", extra=extra)
    return differences


@patient
async def forget_deliveries(ctx: dict[Any, Any], *_: Any, **__: Any) -> int:
    """Every night: finished deliveries that are older than they are kept. Answers how many they were."""
    return await retention.prune()


@asynccontextmanager
async def connection(redis_url: str) -> AsyncIterator[ArqRedis]:
    """The queue that the sweeps are taken from, and through which anybody may ask for one."""
    redis = ArqRedis(
        ConnectionPool.from_url(redis_url),
        job_serializer=orjson.dumps,
        job_deserializer=orjson.loads,
        default_queue_name=QUEUE,
    )
    try:
        yield redis
    finally:
        await redis.aclose(close_connection_pool=True)


async def loop(redis_url: str, provider: Provider) -> None:
    """Run the sweeps while Redis is there; raises when it isn't."""
    async with connection(redis_url) as redis:
        worker = Worker(
            cron_jobs=[
                cron(forget_idempotency_keys, hour=3, minute=17, second=0),
                cron(reconcile_orders, minute=41, second=0),
                cron(reconcile_deposits, hour=2, minute=11, second=0),
                cron(reconcile_books, hour=4, minute=23, second=0, timeout=RECONCILING_SECONDS_MAX),
                cron(forget_deliveries, hour=3, minute=47, second=0, timeout=FORGETTING_SECONDS_MAX),
            ],
            queue_name=QUEUE,
            ctx={"provider": provider},
            redis_pool=redis,
            handle_signals=False,
            poll_delay=POLL_SECONDS,
            timezone=UTC,
            job_serializer=orjson.dumps,
            job_deserializer=orjson.loads,
            log_results=False,
            on_job_start=_begin,
        )
        try:
            await worker.main()
        finally:
            for task in worker.tasks.values():
                task.cancel()


async def _begin(ctx: dict[Any, Any]) -> None:
    process_log.begin(job=ctx["job_id"])
