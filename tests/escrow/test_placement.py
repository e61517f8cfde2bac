"""Where tables lie is declared, and the database is fit for it: keys contain the contract, foreign keys stay inside of it."""

from __future__ import annotations

from typing import Final

import asyncpg
import pytest

from escrow import database
from escrow.placement import PLACES, Group, Place, key_across_shards
from tests.partitioned import PARTITIONS

pytestmark = pytest.mark.usefixtures("database")

KEYS: Final = """
SELECT indrelid::regclass::text AS "table", indexrelid::regclass::text AS name,
    ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = indrelid AND attnum = ANY (indkey)) AS columns,
    pg_get_expr(indpred, indrelid) AS condition
FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
WHERE indisunique AND relnamespace = 'public'::regnamespace AND NOT relispartition
    AND relname NOT LIKE 'tortoise%'
"""

FOREIGN: Final = """
SELECT conname AS name, conrelid::regclass::text AS "table", confrelid::regclass::text AS leads_to,
    ARRAY(SELECT attname::text FROM unnest(conkey) WITH ORDINALITY AS k (number, at)
        JOIN pg_attribute ON attrelid = conrelid AND attnum = k.number ORDER BY at) AS columns,
    ARRAY(SELECT attname::text FROM unnest(confkey) WITH ORDINALITY AS k (number, at)
        JOIN pg_attribute ON attrelid = confrelid AND attnum = k.number ORDER BY at) AS their_columns
FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
WHERE contype = 'f' AND conparentid = 0 AND connamespace = 'public'::regnamespace AND NOT relispartition
"""


async def test_every_table_has_its_place() -> None:
    rows = await database.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') "
        "AND NOT relispartition AND relname NOT LIKE 'tortoise%'"
    )
    assert {row["relname"] for row in rows} == set(PLACES)
    assert [table for table, place in PLACES.items() if not place.why] == []


async def test_the_column_by_which_a_table_is_distributed_is_always_there() -> None:
    rows = await database.fetch(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' AND is_nullable = 'NO'"
    )
    there = {tuple(row) for row in rows}
    missing = [table for table, place in PLACES.items() if place.column and (table, place.column) not in there]
    assert missing == []


async def test_every_unique_key_contains_the_contract_or_stands_beside_one_that_does() -> None:
    keys = {row["name"]: row for row in await database.fetch(KEYS)}
    faults = []
    for name, key in keys.items():
        place = PLACES[key["table"]]
        if place.column is None or place.column in key["columns"]:
            continue
        twin = keys.get(place.narrow.get(name, ""))
        if twin is None or (set(twin["columns"]), twin["condition"]) != (
            {place.column, *key["columns"]},
            key["condition"],
        ):
            faults.append(name)
    assert faults == []
    named = {(name, twin) for place in PLACES.values() for name, twin in place.narrow.items()}
    assert PARTITIONS or {name for pair in named for name in pair} <= keys.keys()


async def test_foreign_keys_stay_in_a_shard_or_lead_to_tables_that_are_everywhere() -> None:
    faults, crossing = [], set()
    for row in await database.fetch(FOREIGN):
        place, other = PLACES[row["table"]], PLACES[row["leads_to"]]
        if row["name"] in place.crossing:
            crossing.add(row["name"])
        elif not _stays(place, other, row):
            faults.append(row["name"])
    assert faults == []
    assert crossing == {name for place in PLACES.values() for name in place.crossing}


def _stays(place: Place, other: Place, row: asyncpg.Record) -> bool:
    if other.group is Group.REFERENCE:
        return True
    if place.group is not other.group:
        return False
    return place.column is None or (place.column, other.column) in zip(
        row["columns"], row["their_columns"], strict=True
    )


def test_keys_across_shards_begin_with_the_contract() -> None:
    assert key_across_shards("milestones", ("id",)) == ("contract_id", "id")
    assert key_across_shards("updates", ("contract_id", "number")) == ("contract_id", "number")
    assert key_across_shards("contracts", ("id",)) == ("id",)
    assert key_across_shards("members", ("id",)) == ("id",)
