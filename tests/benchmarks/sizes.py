"""How many bytes of PostgreSQL a contract takes that was played to its end, indexes included, and an event and a delivery of it.

Contracts of three milestones are proposed, accepted, paid for, handed in, approved and paid out by the commands that anybody
uses; each event goes to one endpoint, with one attempt. The tables are written anew before they are weighed, so what commands
leave behind for autovacuum is not in it. Nothing here depends on the machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from escrow import database
from tests.benchmarks.options import Options
from tests.benchmarks.tables import Table
from tests.engines import TestServer
from tests.factories import Deal, Deployment, make_endpoint
from webhooks.delivery.fan_out import FanOut

CONTRACTS: Final = 200
AMOUNTS: Final = ("250.00", "500.00", "250.00")
AT_ONCE: Final = 8

WEIGHED: Final[Mapping[str, tuple[str, ...]]] = {
    "the log: an event with its place, without words": ("events", "log_positions"),
    "words beside the log": ("texts",),
    "the contract as it is: plan, money, orders, submissions": (
        *("contracts", "milestones", "deposits", "payment_orders", "submissions", "deadlines", "titles"),
    ),
    "the ledger": ("transfers", "balances"),
    "a delivery, its attempt and its lane": ("deliveries", "delivery_attempts", "lanes"),
}
"""Which tables are weighed together."""


async def tables(server: TestServer, _: str, __: Options) -> list[Table]:
    """Bytes of each group of tables for a contract, and for one of its events."""
    url = await server.clone()
    await database.connect(url)
    try:
        await _played()
        events: int = await database.fetch_value("SELECT count(*) FROM log_positions WHERE stream_id LIKE 'ctr%'")
        rows = [await _weighed(what, names, events) for what, names in WEIGHED.items()]
    finally:
        await database.disconnect()
        await server.drop(url)
    caption = (
        f"Bytes in PostgreSQL, indexes included, of a contract of {len(AMOUNTS)} milestones that was played to its end "
        f"({events / CONTRACTS:.0f} events, each to one endpoint)"
    )
    return [Table("sizes", caption, ["", "bytes a contract", "bytes an event"], rows)]


async def _played() -> None:
    there = await Deployment.make()
    await make_endpoint(there.client, "https://example.com/hook")
    places = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with places:
            await _to_the_end(there)

    await _sequenced()
    await asyncio.gather(*(one() for _ in range(CONTRACTS)))
    await _sequenced()
    await database.execute(_ATTEMPTS)


async def _to_the_end(there: Deployment) -> None:
    deal: Deal = await there.fund(*AMOUNTS)
    for position in range(1, len(AMOUNTS) + 1):
        if position > 1:
            await deal.confirm(await deal.fund(position))
        await deal.submit(position)
        await deal.approve(position)
    await deal.pay_out()


async def _sequenced() -> None:
    while await FanOut(lease_seconds=30.0).place():
        pass


_ATTEMPTS: Final = """
INSERT INTO delivery_attempts (
    id, delivery_id, token, started_at, status, address, dns_ms, connect_ms, first_byte_ms, total_ms, excerpt)
SELECT new_attempt_id(), id, gen_random_uuid(), clock_timestamp(), 200, '203.0.113.7', 1, 12, 40, 41, 'ok' FROM deliveries
"""


async def _weighed(what: str, names: Sequence[str], events: int) -> list[str]:
    total = 0
    for name in names:
        await database.execute(f"VACUUM FULL {name}")
        total += await database.fetch_value("SELECT pg_total_relation_size($1::text::regclass)", name)
    return [what, f"{total / CONTRACTS:,.0f}", f"{total / events:,.0f}"]
