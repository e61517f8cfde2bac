"""What a page of a list or of the feed costs among a million milestones: blocks read, and milliseconds, by who asks.

The rows are made by SQL past triggers and foreign keys; the statements are those of the product. Blocks don't depend on the
machine, milliseconds do.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from escrow import database
from escrow.access import Actor
from escrow.queries import contracts, feed, milestones, scans
from escrow.queries.contracts import ContractOrder
from escrow.queries.milestones import MilestoneOrder
from escrow.queries.ranges import Span
from escrow.queries.scans import Filter, Order
from tests.benchmarks.options import Options
from tests.benchmarks.tables import Table
from tests.bulk import BUSY, PLAN, RARE, fill
from tests.engines import TestServer
from tests.factories import party

EVENTS_A_CONTRACT: Final = 5
FIRST: Final = 50
TIMES: Final = 21

LISTS: Final[tuple[tuple[str, Order, dict[str, Any]], ...]] = (
    ("contracts, newest", contracts.ORDERS[ContractOrder.NEWEST], {}),
    ("contracts, ACTIVE", contracts.ORDERS[ContractOrder.NEWEST], {"states": ["ACTIVE"]}),
    ("contracts, recently updated", contracts.ORDERS[ContractOrder.RECENTLY_UPDATED], {}),
    ("contracts, by deadline", contracts.ORDERS[ContractOrder.DEADLINE], {}),
    ("contracts, title “zepp”", contracts.ORDERS[ContractOrder.NEWEST], {"title": "zepp"}),
    ("milestones, by due date", milestones.ORDERS[MilestoneOrder.DUE], {}),
    ("milestones, SUBMITTED by due date", milestones.ORDERS[MilestoneOrder.DUE], {"states": ["SUBMITTED"]}),
    (
        "milestones, due in one week",
        milestones.ORDERS[MilestoneOrder.DUE],
        {"spans": {"due_on": Span(date(2027, 3, 1), date(2027, 3, 8))}},
    ),
    ("milestones, recently updated", milestones.ORDERS[MilestoneOrder.RECENTLY_UPDATED], {}),
    ("milestones, by deadline", milestones.ORDERS[MilestoneOrder.DEADLINE], {}),
    ("milestones, title “zepp mast”", milestones.ORDERS[MilestoneOrder.DUE], {"title": "zepp mast"}),
)


@dataclass(frozen=True, slots=True)
class Cost:
    """One page: what it is of, who asked, how many blocks it read, and the median of its milliseconds."""

    what: str
    who: str
    blocks: int
    milliseconds: float


async def tables(server: TestServer, _: str, options: Options) -> list[Table]:
    """One line for each kind of page."""
    count = options.listed
    costs = await measure(server, count)
    rows = [
        [
            busy.what,
            *(text for one in (busy, rare) for text in (f"{one.blocks:,}", f"{one.milliseconds:.1f}")),
        ]
        for busy, rare in zip(costs[::2], costs[1::2], strict=True)
    ]
    caption = (
        f"Pages of {FIRST} among {count * PLAN:,} milestones, {count:,} contracts and {count * EVENTS_A_CONTRACT:,} events, for "
        "an account that has most of them and for one that has a thousandth"
    )
    return [Table("reading", caption, ["page", "most: blocks", "ms", "a thousandth: blocks", "ms"], rows)]


async def measure(server: TestServer, count: int) -> list[Cost]:
    """So many contracts: each common page, for an account that has most of everything and for one that has a thousandth."""
    url = await server.clone()
    await database.connect(url)
    try:
        await fill(count)
        await _fill_log(count)
        costs = [
            await _cost(what, who, *_statement(what, party(who), order, wanted))
            for what, order, wanted in LISTS
            for who in (BUSY, RARE)
        ]
        for after, place in ((0, "from the beginning"), (count * EVENTS_A_CONTRACT // 2, "from the middle")):
            for who in (BUSY, RARE):
                asked = [who, after, FIRST + 1, None]
                costs.append(await _cost(f"changes, {place}", who, feed.statement(party(who)), asked))
        return costs
    finally:
        await database.disconnect()
        await server.drop(url)


def _statement(what: str, actor: Actor, order: Order, wanted: dict[str, Any]) -> tuple[str, list[object]]:
    listed = contracts._LISTED if what.startswith("contracts") else milestones._LISTED
    return scans.statement(listed, actor, Filter(**wanted), order, limit=FIRST + 1, after=None)


async def _cost(what: str, who: str, sql: str, arguments: Sequence[object]) -> Cost:
    explained = await database.fetch_value(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", *arguments)
    root = json.loads(explained)[0]["Plan"]
    times = []
    for _ in range(TIMES):
        began = time.perf_counter()
        await database.fetch(sql, *arguments)
        times.append(1000 * (time.perf_counter() - began))
    return Cost(what, who, root["Shared Hit Blocks"] + root["Shared Read Blocks"], statistics.median(times))


async def _fill_log(count: int) -> None:
    async with database.transaction() as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(_EVENTS, count * EVENTS_A_CONTRACT, count)
        await connection.execute(_POSITIONS, count * EVENTS_A_CONTRACT, count)
    await database.execute("ANALYZE events, log_positions")


_EVENTS: Final = """
INSERT INTO events (id, stream_id, sequence, type, schema_version, occurred_at, body, hash, previous_hash)
SELECT 'evt_' || n, 'ctr_' || lpad((1 + n % $2::int)::text, 26, '0'), 1 + n / $2::int, 'milestone.activated', 1, now(),
    '{"data": {"milestoneId": "mil_' || lpad((1 + n)::text, 26, '0') || '"}}', repeat('0', 64),
    CASE WHEN n >= $2::int THEN repeat('0', 64) END
FROM generate_series(1, $1::int) AS n
"""
_POSITIONS: Final = """
INSERT INTO log_positions (position, event_id, stream_id, client_id, freelancer_id)
SELECT n, 'evt_' || n, contract.id, contract.client_id, contract.freelancer_id
FROM generate_series(1, $1::int) AS n JOIN contracts AS contract ON contract.id = 'ctr_' || lpad((1 + n % $2::int)::text, 26, '0')
ORDER BY n
"""
