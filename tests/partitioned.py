"""Distributes the tables of a database as `escrow.placement` says, on one server: contracts' tables are partitioned by hash.

PostgreSQL's own partitions ask of keys what Citus asks of them, and each row lies in the partition of its contract. Narrow keys
go, the wider ones take their place, and the primary keys keep their names; everything else of a table is made again as it was.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

import asyncpg

from escrow.placement import PLACES, Group, Place

PARTITIONS: Final = int(os.environ.get("EARNEST_PARTITIONS", "0"))
"""Into how many the tables of all tests are cut; 0 leaves them whole."""

DISTRIBUTED: Final = [table for table, place in PLACES.items() if place.group is Group.CONTRACT]

_FOREIGN: Final = """
SELECT conrelid::regclass::text AS "table", conname AS name, pg_get_constraintdef(oid) AS definition FROM pg_constraint
WHERE contype = 'f' AND conparentid = 0 AND connamespace = 'public'::regnamespace
    AND (conrelid::regclass::text = ANY ($1) OR confrelid::regclass::text = ANY ($1))
"""

_UNIQUE: Final = """
SELECT conname AS name, contype, pg_get_constraintdef(oid) AS definition FROM pg_constraint
WHERE contype IN ('p', 'u') AND conrelid = $1::text::regclass
"""

_INDEXES: Final = """
SELECT relname AS name, pg_get_indexdef(oid) AS definition FROM pg_class JOIN pg_index ON indexrelid = oid
WHERE indrelid = $1::text::regclass AND NOT EXISTS (
    SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u'))
"""

_TRIGGERS: Final = """
SELECT tgname AS name, pg_get_triggerdef(oid) AS definition FROM pg_trigger
WHERE tgrelid = $1::text::regclass AND NOT tgisinternal
"""


_ALIKE: Final = "INCLUDING ALL EXCLUDING INDEXES EXCLUDING STATISTICS"


async def partition(connection: asyncpg.Connection[asyncpg.Record], modulus: int) -> None:
    """Partition the tables, which are empty, into so many parts each; all or none."""
    async with connection.transaction():
        foreign = await connection.fetch(_FOREIGN, DISTRIBUTED)
        for one in foreign:
            await connection.execute(f"ALTER TABLE {one['table']} DROP CONSTRAINT {one['name']}")
        for table in DISTRIBUTED:
            await connection.execute(";\n".join(await _anew(connection, table, PLACES[table], modulus)))
        for one in foreign:
            await connection.execute(f"ALTER TABLE {one['table']} ADD CONSTRAINT {one['name']} {one['definition']}")


async def _anew(
    connection: asyncpg.Connection[asyncpg.Record], table: str, place: Place, modulus: int
) -> Sequence[str]:
    """The statements that make a table again, as its parts."""
    unique = await connection.fetch(_UNIQUE, table)
    indexes = await connection.fetch(_INDEXES, table)
    triggers = await connection.fetch(_TRIGGERS, table)
    primary = {place.narrow.get(one["name"]): one["name"] for one in unique if one["contype"] == b"p"}
    return [
        f"ALTER TABLE {table} RENAME TO whole",
        f"CREATE TABLE {table} (LIKE whole {_ALIKE}) PARTITION BY HASH ({place.column})",
        "DROP TABLE whole",
        *(
            f"CREATE TABLE {table}_{number} PARTITION OF {table} FOR VALUES WITH (MODULUS {modulus}, REMAINDER {number})"
            for number in range(modulus)
        ),
        *(
            f"ALTER TABLE {table} ADD CONSTRAINT {one['name']} {one['definition']}"
            for one in unique
            if one["name"] not in place.narrow
        ),
        *(_index(one, table, primary) for one in indexes if one["name"] not in place.narrow),
        *(one["definition"] for one in triggers),
    ]


def _index(one: asyncpg.Record, table: str, primary: dict[str | None, str]) -> str:
    """An index as it was; the one that is the wider twin of the primary key becomes that."""
    name: str = one["name"]
    definition: str = one["definition"]
    if name in primary:
        key = definition[definition.index("(") :]
        return f"ALTER TABLE {table} ADD CONSTRAINT {primary[name]} PRIMARY KEY {key}"
    return definition
