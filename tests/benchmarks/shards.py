"""How evenly contracts lie over shards, what a contract costs that is busier than others, and what each of two servers is asked.

Identifiers are made as the product makes them, and PostgreSQL's own hash says where each lies, in equal ranges as Citus cuts
them. How much is in a contract is drawn: most are small, some are very large (Pareto). A hot contract is reckoned, not drawn: its
shard has its share of the work beside everybody's. The two servers are databases, to which each command goes by its contract.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from escrow import database, ids
from escrow.agreement.commands import Propose
from escrow.ids import Kind
from escrow.pipeline import run
from tests.benchmarks.options import Options
from tests.benchmarks.tables import Table
from tests.engines import TestServer
from tests.factories import Deal, Deployment

SHARDS: Final = 32
BATCH: Final = 100_000
SMALLEST_EVENTS: Final = 8
"""What is in a contract that was proposed, funded and paid out once."""
SLOPE: Final = 1.3
"""Of the Pareto distribution of events: among ten million contracts the largest has about two million."""
EVENTS_MAX: Final = 200_000
"""More than the limits on counts allow a contract to have in years of work."""
HOT: Final = (0.001, 0.01, 0.05, 0.1, 0.25)
"""The share of all commands that one contract takes."""
SERVERS: Final = 2
DEALS: Final = 64

SHARD_SQL: Final = f'(hashtext(id COLLATE "C")::bigint + 2147483648) / {2**32 // SHARDS}'
"""The shard of an identifier, as SQL: 32 equal ranges of the 32 bits of PostgreSQL's hash of a text."""


@dataclass(frozen=True, slots=True)
class Balance:
    """How much lies in each shard."""

    contracts: Sequence[int]
    events: Sequence[int]


async def tables(server: TestServer, _: str, options: Options) -> list[Table]:
    """The balance over shards, a hot contract, and what each of two servers is asked."""
    url = await server.clone()
    try:
        async with _connected(url):
            found = await balance(options.sharded, seed=1)
        asked = await statements_per_server(server, url)
    finally:
        await server.drop(url)
    return [_balance_table(found, options.sharded), _hot_table(found), _servers_table(asked)]


async def balance(contracts: int, *, seed: int) -> Balance:
    """So many contracts with fresh identifiers and drawn sizes, on the connected database's hash."""
    chance = random.Random(seed)
    many, events = [0] * SHARDS, [0] * SHARDS
    for start in range(0, contracts, BATCH):
        size = min(BATCH, contracts - start)
        names = [ids.new(Kind.CONTRACT) for _ in range(size)]
        sizes = [min(int(SMALLEST_EVENTS * chance.paretovariate(SLOPE)), EVENTS_MAX) for _ in range(size)]
        for row in await database.fetch(_COUNT, names, sizes):
            many[row["shard"]] += row["contracts"]
            events[row["shard"]] += row["events"]
    return Balance(many, events)


_COUNT: Final = f"""
SELECT {SHARD_SQL} AS shard, count(*) AS contracts, sum(events)::bigint AS events
FROM unnest($1::text[], $2::int[]) AS one (id, events) GROUP BY 1
"""


def hot_shard(share: float, fullest: float) -> float:
    """How many times a mean shard's work the shard has in which one contract takes that share of all commands.

    `fullest` is the same figure without it, in the worst case that the contract lies in the fullest shard.
    """
    return SHARDS * share + (1 - share) * fullest


def fullest(parts: Sequence[int]) -> float:
    """The fullest shard, as a multiple of the mean."""
    return max(parts) * len(parts) / sum(parts)


def _balance_table(found: Balance, contracts: int) -> Table:
    rows = [
        [name, f"{sum(parts):,}", f"{min(parts):,}", f"{max(parts):,}", f"{fullest(parts):.4f}"]
        for name, parts in (("contracts", found.contracts), ("their events", found.events))
    ]
    caption = f"{contracts:,} contracts in {SHARDS} shards, by PostgreSQL's hash of their identifiers"
    return Table("shards", caption, ["what", "all", "least in a shard", "most in a shard", "most to mean"], rows)


def _hot_table(found: Balance) -> Table:
    worst = fullest(found.events)
    rows = [
        [f"{share:.1%}", f"{hot_shard(share, worst):.2f}", f"{SHARDS / hot_shard(share, worst):.1f}"]
        for share in (0.0, *HOT)
    ]
    columns = [
        "commands on one contract",
        "its shard's work to the mean",
        f"of {SHARDS} shards' work, what can be done at most",
    ]
    return Table("shards-hot", "What one busy contract costs, in the fullest shard", columns, rows)


def _servers_table(asked: Mapping[int, Counter[str]]) -> Table:
    names = ["one server", *(f"server {number + 1} of {SERVERS}" for number in range(SERVERS))]
    whole: Counter[str] = sum(asked.values(), Counter())
    rows = [
        [name, *(f"{one[what]:,}" for what in ("contracts", "commands", "statements"))]
        for name, one in zip(names, (whole, *asked.values()), strict=True)
    ]
    caption = f"{DEALS} contracts from proposal to approval: what each server is asked"
    return Table("shards-servers", caption, ["server", "contracts", "commands", "statements"], rows)


async def statements_per_server(server: TestServer, origin: str) -> dict[int, Counter[str]]:
    """The same life of each contract, on the server that has it; the accounts are on both."""
    async with _connected(origin):
        there = await Deployment.make()
        proposals = [there.proposal("250.00", "500.00") for _ in range(DEALS)]
        rows = await database.fetch(
            f"SELECT id, ({SHARD_SQL}) % {SERVERS} AS server FROM unnest($1::text[]) AS id",
            [one.contract_id for one in proposals],
        )
    places = {row["id"]: int(row["server"]) for row in rows}
    asked: dict[int, Counter[str]] = {}
    for number in range(SERVERS):
        url = await server.clone(of=origin)
        async with _connected(url):
            asked[number] = await lives(there, [one for one in proposals if places[one.contract_id] == number])
        await server.drop(url)
    return asked


async def lives(there: Deployment, proposals: Sequence[Propose]) -> Counter[str]:
    """Each of the contracts from its proposal to an approval; gives what that was."""
    found: Counter[str] = Counter(contracts=len(proposals))
    with database.counting() as statements:
        for command in proposals:
            deal = Deal(
                id=command.contract_id,
                client=there.client,
                freelancer=there.freelancer,
                milestone_ids=[one.id for one in command.plan],
            )
            await run(command, by=there.client)
            await deal.accept()
            await deal.confirm(await deal.fund())
            await deal.submit()
            await deal.approve()
            found["commands"] += COMMANDS
    found["statements"] = len(statements)
    return found


COMMANDS: Final = 6
"""Proposed, accepted, funded, confirmed, submitted, approved."""


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[None]:
    await database.connect(url)
    try:
        yield
    finally:
        await database.disconnect()
