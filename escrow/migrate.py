"""Brings a database to the tables that this release needs: Tortoise's migrations under a lock, all or none.

Any number of processes may start this at once; one does the work, the others wait and find nothing to do.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Final

from tortoise.context import TortoiseContext
from tortoise.migrations.executor import MigrationExecutor
from tortoise.migrations.schema_editor import AsyncpgSchemaEditor
from tortoise.transactions import in_transaction

from escrow import log, titles
from escrow.database import configuration, fetch, fetch_value
from escrow.settings import tortoise_config

MIGRATION_LOCK: Final = 0x6D69_6772_6174_65
"""The advisory lock's number, the same in every release: "migrate" in ASCII."""


async def migrate(url: str) -> list[str]:
    """Apply what is missing to the database at `url` and answer with the names of the steps: `escrow.m0001_tables`.

    Everything happens in one transaction that begins with the lock: a process that is killed leaves nothing half done.
    It also makes the event types of this release known, so that older processes, which cannot fold them, refuse to write
    to contracts that have one. Afterwards the words of titles are made anew where another release made them; what a killed
    process left of that the next one does. Fails as asyncpg does if nobody answers.
    """
    config = configuration(url, pool_size=1)
    applied: list[str] = []

    def note(event: str, app: str, name: str) -> None:
        if event == "apply_done":
            applied.append(f"{app}.{name}")

    async with TortoiseContext() as context:
        await context.init(config=config)
        async with in_transaction() as connection:
            await connection.execute_query("SELECT pg_advisory_xact_lock($1)", [MIGRATION_LOCK])
            executor = MigrationExecutor(connection, config["apps"])
            # The executor reads its record before it makes the table, which would end the transaction.
            await executor.recorder.ensure_schema(AsyncpgSchemaEditor(connection, atomic=False))
            await executor.migrate(direction="forward", progress=note)
            await connection.execute_query(log.LEARN_SQL, list(log.KNOWN))
        await _renew_titles()
    return applied


async def _renew_titles() -> None:
    """Make the words of titles anew that another release made, some at a time: nobody waits for all of them."""
    renewed = True
    while renewed:
        async with in_transaction() as connection:
            await connection.execute_query("SELECT pg_advisory_xact_lock($1)", [MIGRATION_LOCK])
            renewed = await titles.renew() > 0


async def pending() -> list[str]:
    """The steps of this release, of every package, that the connected database lacks; all if it was never migrated."""
    known = _known()
    if await fetch_value("SELECT to_regclass('tortoise_migrations') IS NULL"):
        return known
    applied = {f"{row['app']}.{row['name']}" for row in await fetch("SELECT app, name FROM tortoise_migrations")}
    return [name for name in known if name not in applied]


def _known() -> list[str]:
    """Every package's steps. Packages above this one are found by the name under which they are registered."""
    apps = tortoise_config("postgres://nobody@nowhere/nothing")["apps"]
    return [
        f"{app}.{name}"
        for app, config in apps.items()
        for name in sorted(
            module.name for module in pkgutil.iter_modules(importlib.import_module(config["migrations"]).__path__)
        )
    ]
