"""The database of the tests: one server for the session, one migrated template, made clean or cloned for each test.

Cleaning deletes rows without firing triggers and puts back what the migrations had put in, so every COMMIT of a test
is a real one; a clone costs a hundred times more and is for tests that start other processes.

No plan depends on chance: nothing is vacuumed or analysed behind a test's back, and neither the pages nor the statistics of
a test are there in the next one.
"""

import os
import secrets
from dataclasses import dataclass
from typing import Self

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from earnest.engines import Engines
from tests.partitioned import PARTITIONS, partition

TEMPLATE = "earnest_template"
KEPT_SCHEMA = "pristine"
LOCK_TIMEOUT = "30s"
"""A test that left a transaction open fails the next one by name instead of hanging the run."""

IN_THE_MIDDLE = "EARNEST_TESTS_IN_THE_MIDDLE"
"""If it is set, the tests' tables lack what comes after the last process of the former release has gone."""

PAGES_MAX = 128
"""Of a table that is cleaned by deleting its rows: their pages stay, as nobody vacuums. Larger ones are cut off."""

SETTINGS = {
    "autovacuum": "off",  # it would analyse and vacuum at moments of its own, and plans would depend on which
    "synchronous_commit": "off",  # no test has the machine lose its power
    "full_page_writes": "off",  # likewise
    "max_wal_size": "2GB",
    "checkpoint_timeout": "1h",
}
"""How the server of the tests differs from that of a deployment."""


@dataclass(frozen=True, slots=True)
class TestServer:
    """The engines of the session and the databases on them."""

    __test__ = False

    engines: Engines

    def url(self, database: str) -> str:
        """The URL of one of the databases."""
        return self.engines.database_url.replace("/earnest?", f"/{database}?")

    async def make_template(self) -> None:
        """Set the server up and migrate the template once; the pristine rows are kept beside its tables."""
        from escrow.migrate import migrate
        from tests.upgrade.in_the_middle import go_as_far_as_before

        for name, value in SETTINGS.items():
            await self._execute(f"ALTER SYSTEM SET {name} = '{value}'")
        await self._execute("SELECT pg_reload_conf()")
        await self._execute(f"CREATE DATABASE {TEMPLATE}")
        await (go_as_far_as_before if os.environ.get(IN_THE_MIDDLE) else migrate)(self.url(TEMPLATE))
        connection = await asyncpg.connect(self.url(TEMPLATE))
        try:
            if PARTITIONS:
                await partition(connection, PARTITIONS)
            await connection.execute(f"CREATE SCHEMA {KEPT_SCHEMA}")
            for table in await table_names(connection):
                if await connection.fetchval(f'SELECT EXISTS (SELECT 1 FROM "{table}")'):
                    await connection.execute(f'CREATE TABLE {KEPT_SCHEMA}."{table}" AS TABLE "{table}"')
        finally:
            await connection.close()

    async def clone(self, *, of: str | None = None) -> str:
        """A new migrated database, or a copy of the one at that URL, to which nobody is connected; gives its URL."""
        name = f"test_{secrets.token_hex(6)}"
        origin = TEMPLATE if of is None else _name(of)
        await self._execute(f"CREATE DATABASE {name} TEMPLATE {origin}")
        return self.url(name)

    async def drop(self, url: str) -> None:
        """Drop a clone, whoever is still connected to it."""
        await self._execute(f"DROP DATABASE {_name(url)} WITH (FORCE)")

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.url("postgres"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


def _name(url: str) -> str:
    return url.partition("@/")[2].partition("?")[0]


@dataclass(frozen=True, slots=True)
class Cleaner:
    """One connection that makes a database as the migrations left it, in a millisecond or so.

    PostgreSQL does it in one function, whose fifty statements it plans once, not for each test.
    """

    connection: asyncpg.Connection

    @classmethod
    async def connect(cls, url: str) -> Self:
        """Connect and make the function for all tables that there are now."""
        connection = await asyncpg.connect(url, server_settings={"lock_timeout": LOCK_TIMEOUT})
        pristine = await table_names(connection, schema=KEPT_SCHEMA)
        others = [table for table in await table_names(connection) if table not in pristine]
        columns = {table: await stored_columns(connection, table) for table in pristine}
        await connection.execute(_cleaning(others, columns))
        return cls(connection)

    async def clean(self, *, to_the_last_page: bool = False) -> None:
        """Delete and put back, in one transaction, without firing the triggers that refuse just that.

        What was analysed or has grown large is cut off and forgotten; everything is, `to_the_last_page`, for a test of plans.
        """
        try:
            await self.connection.fetchval(f"SELECT {KEPT_SCHEMA}.clean($1)", to_the_last_page)
        except asyncpg.LockNotAvailableError as error:
            others = await self.connection.fetch(_OTHERS)
            raise RuntimeError("\n".join(["Others are still at work:", *map(str, others)])) from error


_OTHERS = """
SELECT pid, state, wait_event, pg_blocking_pids(pid) AS waits_for, clock_timestamp() - xact_start AS so_long,
    left(query, 200) AS said
FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
"""


def _cleaning(others: list[str], pristine: dict[str, str]) -> str:
    """The function that empties the others, and makes those with rows of the migrations (and their columns) as they were."""
    every = ", ".join(f'"{table}"' for table in [*others, *pristine])
    restoring = "".join(
        f"""
        IF EXISTS ({_rows("public", table)} EXCEPT ALL {_rows(KEPT_SCHEMA, table)})
            OR EXISTS ({_rows(KEPT_SCHEMA, table)} EXCEPT ALL {_rows("public", table)}) THEN
            DELETE FROM "{table}";
            INSERT INTO "{table}" ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM {KEPT_SCHEMA}."{table}";
        END IF;"""
        for table, columns in pristine.items()
    )
    return f"""
    CREATE OR REPLACE FUNCTION {KEPT_SCHEMA}.clean(to_the_last_page boolean) RETURNS void
    LANGUAGE plpgsql SET session_replication_role = replica AS $$
    BEGIN
        IF to_the_last_page OR {TRACES} THEN
            TRUNCATE {every};
            {FORGETTING}
        ELSE
            {" ".join(f'DELETE FROM "{table}";' for table in others)}
        END IF;
        {restoring}
    END $$
    """


def _rows(schema: str, table: str) -> str:
    return f'SELECT row::text FROM {schema}."{table}" AS row'


TRACES = f"""
EXISTS (SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
    AND (reltuples >= 0 OR pg_relation_size(oid) > {PAGES_MAX} * current_setting('block_size')::int))
"""
"""Whether a table was analysed or has more pages than that."""

FORGETTING = """
PERFORM pg_clear_relation_stats('public', relname) FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'i', 'I') AND reltuples >= 0;
DELETE FROM pg_statistic WHERE starelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace);
"""
"""What is known of the tables and of what is in them."""


async def table_names(
    connection: "asyncpg.Connection | PoolConnectionProxy[asyncpg.Record]", *, schema: str = "public"
) -> list[str]:
    """The tables of a schema, partitions through their parents, without Tortoise's own record of migrations."""
    rows = await connection.fetch(
        """
        SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND c.relname NOT LIKE '%migrations' ORDER BY c.relname
        """,
        schema,
    )
    return [row["relname"] for row in rows]


async def stored_columns(connection: "asyncpg.Connection | PoolConnectionProxy[asyncpg.Record]", table: str) -> str:
    """The columns that can be written: all but the generated ones."""
    rows = await connection.fetch(
        """
        SELECT attname FROM pg_attribute
        WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
        ORDER BY attnum
        """,
        f'public."{table}"',
    )
    return ", ".join(f'"{row["attname"]}"' for row in rows)
