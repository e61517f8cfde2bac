"""What a statement reads and by which way, as PostgreSQL plans it.

For tests that use `untouched_database`: what a plan is like then depends on what the test put there, and on nobody else. Where
tables are cut into partitions, those and their indexes bear the names of the whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import orjson
import pytest

from escrow import database
from tests.partitioned import PARTITIONS

of_whole_tables = pytest.mark.skipif(PARTITIONS > 0, reason="says how tables are read that are not cut into partitions")
"""Where they are, one in which the test has nothing is read whole, and what comes from several is put in order anew."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan with all its steps; what was read is known if the statement was run."""

    root: dict[str, Any]

    @property
    def steps(self) -> list[dict[str, Any]]:
        """All steps, those that were never run too."""
        return list(_steps(self.root))

    @property
    def indexes(self) -> set[str]:
        """The indexes that it uses."""
        return {step["Index Name"] for step in self.steps if "Index Name" in step}

    @property
    def read_whole(self) -> set[str]:
        """The tables that it reads from one end to the other."""
        return {step["Relation Name"] for step in self.steps if step["Node Type"] == "Seq Scan"}

    def blocks(self, *tables: str) -> int:
        """How many blocks were read, in all or of these tables."""
        read = [step for step in self.steps if step.get("Relation Name") in tables] if tables else [self.root]
        return sum(step["Shared Hit Blocks"] + step["Shared Read Blocks"] for step in read)


def _steps(step: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield step
    for inner in step.get("Plans", ()):
        yield from _steps(inner)


async def explain(sql: str, *arguments: object, run: bool = True) -> Plan:
    """The plan for these arguments; the statement is run for it, unless told otherwise."""
    how = "ANALYZE, BUFFERS, FORMAT JSON" if run else "FORMAT JSON"
    return await read(await database.fetch_value(f"EXPLAIN ({how}) {sql}", *arguments))


async def planned(sql: str, *executions: Sequence[object]) -> tuple[int, int]:
    """How often a statement was planned for its values and how often it kept its one plan, executed with these arguments.

    It is prepared for this alone: what PostgreSQL decides hangs on what was executed with the same one before.
    """
    async with database.transaction() as connection:
        name = f"asked_{uuid4().hex}"
        prepared = await connection.prepare(sql, name=name)
        for arguments in executions:
            await prepared.fetch(*arguments)
        row = await connection.fetchrow(
            "SELECT custom_plans, generic_plans FROM pg_prepared_statements WHERE name = $1", name
        )
    assert row is not None
    return row["custom_plans"], row["generic_plans"]


async def read(explained: str) -> Plan:
    """What `EXPLAIN (FORMAT JSON)` said."""
    plan = Plan(orjson.loads(explained)[0]["Plan"])
    if PARTITIONS:
        wholes = {row["part"]: row["whole"] for row in await database.fetch(_WHOLES)}
        for step in plan.steps:
            step |= {name: wholes.get(step[name], step[name]) for name in _NAMES & step.keys()}
    return plan


_NAMES: Final = frozenset({"Relation Name", "Index Name"})

_WHOLES: Final = "SELECT inhrelid::regclass::text AS part, inhparent::regclass::text AS whole FROM pg_inherits"
