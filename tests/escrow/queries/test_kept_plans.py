"""What everybody reads by key is planned once for each connection, however many are asked for and whoever asks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from tortoise.context import TortoiseContext

from escrow import database, log, references
from escrow.access import Actor, ActorKind
from escrow.accounts import queries as accounts
from escrow.queries import contracts, events, feed, milestones
from escrow.queries.disputes import EVIDENCE
from escrow.queries.updates import UPDATES
from tests.bulk import BUSY, RARE, fill
from tests.factories import party
from webhooks.owner.queries import ATTEMPTS

CONTRACTS = 300
PLANNED_FIRST = 5
"""As often PostgreSQL plans a statement anew before it thinks of keeping a plan."""

ASKED = ([f"ctr_{1:026}"], [f"ctr_{number:026}" for number in range(1, 51)])
WHO = (party(BUSY), party(RARE), Actor(ActorKind.OPERATOR, "acc_op"))

READS: dict[str, Callable[[Actor, list[str]], Awaitable[Any]]] = {
    "contracts": contracts.contracts_by_id,
    "contracts with their plans": lambda who, ids: contracts.contracts_with_plans(
        who,
        ids,
        contracts.ROWS.reading(frozenset({"id", "title"})),
        milestones.ROWS.reading(frozenset({"id", "title"})),
    ),
    "contracts with their events": lambda who, ids: contracts.contracts_with_events(
        who,
        ids,
        contracts.ROWS.reading(frozenset({"id", "title"})),
        events.ROWS.reading(frozenset({"id", "hash"})),
        events.Stretch(51, None),
    ),
    "plans": lambda _, ids: milestones.milestones_of(ids, owner=None),
    "milestones": lambda who, ids: milestones.milestones_by_id(who, [one.replace("ctr_", "mil_") for one in ids]),
    "standings": contracts.standings,
    "books": lambda _, ids: contracts.books(ids),
    "timelines": lambda _, ids: events.EVENTS.pages(ids, "stream_id", order="sequence", limit=51, after=None),
    "updates": lambda _, ids: UPDATES.pages(ids, "contract_id", order="number", limit=51, after=None),
    "evidence": lambda _, ids: EVIDENCE.pages(ids, "dispute_id", order="added", limit=51, after=None),
    "attempts": lambda _, ids: ATTEMPTS.pages(ids, "delivery_id", limit=51, after=None),
    "changes": lambda who, _: feed.changes_page(who, after=0, limit=50),
    "accounts": lambda who, _: accounts.accounts_by_id(who, [BUSY, RARE]),
    "references": lambda who, ids: references.references_of(who.account_id, ids),
    "positions": lambda _, ids: log.positions_of(ids),
}


@pytest_asyncio.fixture(loop_scope="session")
async def new_connection(database_clone: str) -> AsyncIterator[database.Connection]:
    """The one connection to a database with contracts in it; what it planned before doesn't count."""
    async with TortoiseContext() as context:
        await context.init(config=database.configuration(database_clone, pool_size=1))
        await fill(CONTRACTS)
        async with database.transaction() as connection:
            yield connection


async def _planned(connection: database.Connection) -> dict[str, int]:
    """How often each statement that the connection has prepared was planned for the values that it was given."""
    rows = await connection.fetch("SELECT name, statement, custom_plans FROM pg_prepared_statements")
    return {f"{row['name']} {row['statement']}": row["custom_plans"] for row in rows}


@pytest.mark.parametrize("read", READS)
async def test_a_read_by_key_keeps_its_plan(new_connection: database.Connection, read: str) -> None:
    async def ask() -> None:
        for who in WHO:
            for asked in ASKED:
                await READS[read](who, asked)

    for _ in range(PLANNED_FIRST):
        await ask()
    before = await _planned(new_connection)
    with database.counting() as statements:
        await ask()
    assert statements
    assert await _planned(new_connection) == before
