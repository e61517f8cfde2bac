"""The database of the tests is as the migrations left it, whatever a test did to any of its tables."""

from __future__ import annotations

import asyncpg
import pytest

from tests.engines import KEPT_SCHEMA, Cleaner, stored_columns

TABLES = """
SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
    AND relname NOT LIKE '%migrations'
"""
CHECKS = """
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) FROM pg_constraint
WHERE contype IN ('c', 'f') AND connamespace = 'public'::regnamespace AND conparentid = 0
"""
VALUES = """
SELECT string_agg(CASE
    WHEN atttypid = ANY ('{bigint,integer,smallint,numeric}'::regtype[]) THEN '7'
    WHEN atttypid IN ('text'::regtype, 'varchar'::regtype) THEN quote_literal(attname)
    WHEN atttypid = 'boolean'::regtype THEN 'true'
    WHEN atttypid IN ('timestamptz'::regtype, 'date'::regtype) THEN 'now()'
    WHEN atttypid IN ('json'::regtype, 'jsonb'::regtype) THEN quote_literal('{"a": 1}')
    ELSE 'NULL' END, ', ' ORDER BY attnum)
FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
"""


async def rows(connection: asyncpg.Connection, schema: str, table: str) -> list[str]:
    if not await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", f'{schema}."{table}"'):
        return []
    return sorted(row[0] for row in await connection.fetch(f'SELECT row::text FROM {schema}."{table}" AS row'))


async def fill(connection: asyncpg.Connection, table: str) -> None:
    """A row that no migration made, past triggers and without what checks it."""
    for (column,) in await connection.fetch(
        "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped"
        " AND attnotnull AND attidentity = '' AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = attrelid"
        " AND indisprimary AND attnum = ANY (indkey))",
        table,
    ):
        await connection.execute(f'ALTER TABLE "{table}" ALTER COLUMN "{column}" DROP NOT NULL')
    columns, values = await stored_columns(connection, table), await connection.fetchval(VALUES, table)
    await connection.execute(f'INSERT INTO "{table}" ({columns}) OVERRIDING SYSTEM VALUE VALUES ({values})')


@pytest.mark.parametrize("to_the_last_page", [False, True])
async def test_whatever_is_in_any_table_is_gone_and_what_migrations_put_there_is_back(
    database_clone: str, to_the_last_page: bool
) -> None:
    cleaner = await Cleaner.connect(database_clone)
    connection = await asyncpg.connect(database_clone)
    try:
        tables = [row[0] for row in await connection.fetch(TABLES)]
        await connection.execute("SET session_replication_role = replica")
        for (statement,) in await connection.fetch(CHECKS):
            await connection.execute(statement)
        for table in tables:
            if pristine := await rows(connection, KEPT_SCHEMA, table):
                await connection.execute(f'DELETE FROM "{table}"')
            await fill(connection, table)
            assert await rows(connection, "public", table) != pristine, table
        await cleaner.clean(to_the_last_page=to_the_last_page)
        left = {table: await rows(connection, "public", table) for table in tables}
        assert left == {table: await rows(connection, KEPT_SCHEMA, table) for table in tables}
        assert len([table for table in tables if left[table]]) > 1
    finally:
        await connection.close()
        await cleaner.connection.close()


async def test_one_row_of_migrations_that_somebody_took_away_is_back(database_clone: str) -> None:
    cleaner = await Cleaner.connect(database_clone)
    try:
        before = await rows(cleaner.connection, "public", "event_types")
        await cleaner.connection.execute("DELETE FROM event_types WHERE ctid = (SELECT min(ctid) FROM event_types)")
        assert await rows(cleaner.connection, "public", "event_types") != before
        await cleaner.clean()
        assert await rows(cleaner.connection, "public", "event_types") == before
    finally:
        await cleaner.connection.close()


async def test_triggers_fire_again_once_it_is_clean(database_clone: str) -> None:
    cleaner = await Cleaner.connect(database_clone)
    try:
        await cleaner.clean()
        assert await cleaner.connection.fetchval("SHOW session_replication_role") == "origin"
    finally:
        await cleaner.connection.close()


async def test_who_keeps_a_database_from_being_cleaned_is_named(database_clone: str) -> None:
    cleaner, connection = await Cleaner.connect(database_clone), await asyncpg.connect(database_clone)
    try:
        await cleaner.connection.execute("SET lock_timeout = 50")
        async with connection.transaction():
            await connection.execute("LOCK TABLE titles")
            with pytest.raises(RuntimeError, match=r"still at work:\n.*idle in transaction.*LOCK TABLE titles"):
                await cleaner.clean()
        await cleaner.clean()
    finally:
        await connection.close()
        await cleaner.connection.close()
