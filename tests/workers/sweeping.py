"""Contracts with clocks, and the sweep in this process: shorthand for the tests of deadlines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from escrow import clock, database
from escrow.audit import audit
from tests.factories import Deal, Deployment
from tests.workers.process import until
from workers import deadlines


@asynccontextmanager
async def sweeping(pumps: int = 1) -> AsyncIterator[list[asyncio.Task[None]]]:
    """So many pumps, as workers have one each."""
    tasks = [asyncio.create_task(deadlines.pump()) for _ in range(pumps)]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def submitted(there: Deployment, *amounts: str) -> Deal:
    """A contract whose first milestone waits for the client's answer."""
    deal = await there.fund(*(amounts or ("250.00", "500.00")))
    await deal.submit()
    return deal


async def several(there: Deployment, count: int, *amounts: str) -> list[Deal]:
    """So many of them, made side by side."""
    return list(await asyncio.gather(*(submitted(there, *amounts) for _ in range(count))))


async def due_times(deals: Sequence[Deal]) -> dict[str, datetime]:
    """When silence will release the work of each contract."""
    rows = await database.fetch(
        "SELECT contract_id, due_at FROM deadlines WHERE kind = 'REVIEW' AND contract_id = ANY ($1)",
        [deal.id for deal in deals],
    )
    return {row["contract_id"]: row["due_at"] for row in rows}


async def set_clock(at: datetime) -> None:
    """Move domain time to `at`, without applying anything: as if all workers had been down meanwhile."""
    await database.execute(
        "UPDATE deployment SET clock_offset = greatest(clock_offset, "
        "extract(epoch FROM $1::timestamptz - clock_timestamp()) * interval '1 second')",
        at,
    )
    assert await clock.now() >= at


async def nothing_is_due() -> None:
    """Wait until every deadline that was due was applied."""

    async def done() -> bool:
        return not await database.fetch_value(f"SELECT EXISTS (SELECT FROM deadlines WHERE due_at <= {clock.NOW_SQL})")

    await until(done)


async def releases(deals: Sequence[Deal]) -> dict[str, list[datetime]]:
    """By contract: when its milestones were released by silence."""
    rows = await database.fetch(
        "SELECT stream_id, occurred_at FROM events WHERE type = 'milestone.released' "
        "AND body::json->'data'->>'reason' = 'AUTO_RELEASED' AND stream_id = ANY ($1) ORDER BY stream_id, sequence",
        [deal.id for deal in deals],
    )
    found: dict[str, list[datetime]] = {}
    for row in rows:
        found.setdefault(row["stream_id"], []).append(row["occurred_at"])
    return found


async def each_once(due: dict[str, datetime], deals: Sequence[Deal]) -> None:
    """Every one of them was released by silence once, at its due time, and the books are clean."""
    assert await releases(deals) == {contract_id: [at] for contract_id, at in due.items()}
    assert [difference async for difference in audit()] == []
