"""A journey and the golden stories on tables that are partitioned by the hash of their contract: nothing is different."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio
from tortoise.context import TortoiseContext

from escrow import database, log
from escrow.audit import audit
from escrow.erasure import erase
from escrow.pipeline import run
from escrow.placement import PLACES
from tests.engines import Cleaner
from tests.escrow.agreement.tour import STORIES
from tests.escrow.cases import CASES
from tests.escrow.laying import lay_down, make_accounts
from tests.escrow.test_audit import busy
from tests.escrow.test_tables import FILLED, FORBIDDEN
from tests.factories import Deployment
from tests.partitioned import DISTRIBUTED, PARTITIONS, partition

PARTS = 4


@pytest_asyncio.fixture(loop_scope="session")
async def partitioned(database_clone: str) -> AsyncIterator[str]:
    """A database of the test's own whose contracts' tables are cut into parts; gives its URL."""
    if not PARTITIONS:
        connection = await asyncpg.connect(database_clone)
        await partition(connection, PARTS)
        await connection.close()
    async with TortoiseContext() as context:
        await context.init(config=database.configuration(database_clone, pool_size=2))
        yield database_clone


async def _parts() -> dict[str, set[str]]:
    """In which parts, by their numbers, the rows of each contract lie."""
    found: dict[str, set[str]] = {}
    for table in DISTRIBUTED:
        column = PLACES[table].column
        rows = await database.fetch(
            f"SELECT DISTINCT {column} AS contract, substring(tableoid::regclass::text FROM '\\d+$') AS part FROM {table}"
        )
        for row in rows:
            found.setdefault(row["contract"], set()).add(row["part"])
    return found


@pytest.mark.usefixtures("partitioned")
async def test_every_command_goes_as_on_one_table_and_a_contract_lies_in_one_part() -> None:
    there = await Deployment.make()
    for case in CASES[::5]:
        command, by = await case.prepare(there)
        await run(command, by=by)
    deal = await there.fund("250.00")
    await deal.submit()
    await deal.approve()
    assert await log.sequence(limit=10_000) > 0
    assert await erase(deal.id) > 0
    assert [difference async for difference in audit()] == []
    parts = await _parts()
    assert {contract for contract, numbers in parts.items() if len(numbers) > 1} == set()
    assert len({number for numbers in parts.values() for number in numbers}) > 1


async def test_the_golden_stories_are_written_and_audited(partitioned: str) -> None:
    cleaner = await Cleaner.connect(partitioned)
    for tell in STORIES.values():
        await cleaner.clean()  # the stories have the same names
        await make_accounts()
        await lay_down(tell())
        await log.sequence()
        assert [difference async for difference in audit()] == []
    await cleaner.connection.close()


@pytest.mark.usefixtures("partitioned")
async def test_the_wider_keys_refuse_what_the_narrow_ones_did() -> None:
    await busy(quarrelling=True)
    await database.execute(FILLED)
    for name in {name for place in PLACES.values() for name in place.narrow} & FORBIDDEN.keys():
        with pytest.raises(asyncpg.UniqueViolationError):
            await database.execute(FORBIDDEN[name])
