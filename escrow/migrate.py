"""Brings a database to the tables that this release needs, one step after the other, under a lock.

Any number of processes may start this at once; one does the work, the others wait and find nothing to do. Each step is done
whole or not at all (or goes on where it was, if it lasts), so that whoever is killed leaves nothing that the next one couldn't
finish. Which steps may be taken beside a former release's processes is for `parts` to say.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import pkgutil
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from functools import partial
from typing import Final, TypeVar, cast

import asyncpg
from tortoise import migrations
from tortoise.connection import get_connection
from tortoise.context import TortoiseContext
from tortoise.migrations.executor import MigrationExecutor
from tortoise.migrations.operations import RunSQL
from tortoise.migrations.schema_editor import AsyncpgSchemaEditor
from tortoise.transactions import in_transaction

from escrow import log, titles
from escrow.database import AWAY, Connection, configuration, fetch, fetch_value
from escrow.parts import Concurrently, InBatches, Part, part_of, release_of, turn_of
from escrow.release import APPLICATION
from escrow.settings import tortoise_config

MIGRATION_LOCK: Final = 0x6D69_6772_6174_65
"""The advisory lock's number, the same in every release: "migrate" in ASCII."""

VERSION_MIN: Final = 18
"""The oldest PostgreSQL that has what the tables need."""

TURN_SECONDS: Final = 0.1
"""Between two questions whether another migrator is done. To wait inside of a statement would hold up the building of indexes."""

EVENT_TYPES: Final = "escrow.event_types"
"""Stands among the names of missing steps while event types of this release aren't known to older ones."""

TITLES: Final = "escrow.titles"
"""What the making of words is called in the log, where steps have their names."""

LOCK_MS: Final = 400
"""How long a step waits for a table: as long as it waits, so does everything that comes to that table after it."""

LOCK_TRIES: Final = 60

VACUUM_MS: Final = 5_000
"""How much longer than `deadlock_timeout` a step waits for who vacuums or analyses a table, which keeps nobody else waiting. What
PostgreSQL does so by itself ends for whoever has waited that long (a second), and for nobody who gives up sooner."""

PAUSE_SECONDS: Final = 1.0
"""Between two tries, in which what waited goes on."""

_TAKEN: Final = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
"""What a statement raises because of what others have just then: the same one comes through a little later."""

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Extent(StrEnum):
    """How far to go."""

    BEFORE = "before"
    """What may be done beside processes of the former release; everything where nobody was ever served."""
    AFTER = "after"
    """What remains when the last of them is gone."""
    ALL = "all"
    """Everything: no process of another release runs."""


class NotYet(Exception):
    """What is asked for can't be done here as it is, or would break processes that may still run; says why, and what to do."""


async def migrate(url: str, extent: Extent = Extent.ALL) -> list[str]:
    """Apply what is missing to the database at `url` and answer with the names of the steps: `escrow.m0001_tables`.

    First of all it makes the event types of this release known, so that older processes, which cannot fold them, refuse to
    write to contracts that have one. Afterwards the words of titles are made anew where another release made them; what a killed
    process left of that the next one does. Refuses with `NotYet`, after some steps if a process of another release is started
    meanwhile; fails as asyncpg does if nobody answers, and with `LockNotAvailableError` if a table is kept from it for minutes.
    """
    config = configuration(url, pool_size=2)
    async with TortoiseContext() as context:
        await context.init(config=config)
        async with _alone() as connection:
            await _refuse_unfit(connection)
            steps = await _steps(config["apps"])
            wanted = await _wanted(steps, extent)
            if Part.AFTER in map(part_of, wanted):
                await _refuse_others(connection)
            await _learn(connection)  # processes may start as soon as the last step before is taken
            applied = [await _take(step, connection) for step in wanted]
            await _learn(connection)
            await _renew_titles()
    return applied


async def _refuse_unfit(connection: Connection) -> None:
    """Raise `NotYet` where the server is too old or the database not in UTF-8: the first step would fail by a collation."""
    (found,) = await connection.fetch(_FITNESS)
    if found["major"] < VERSION_MIN:
        raise NotYet(f"PostgreSQL {found['version']} is too old: upgrade it to {VERSION_MIN} or newer (pg_upgrade)")
    if found["encoding"] != "UTF8":
        make = "make one with createdb --encoding UTF8 --template template0, and name it in DATABASE_URL"
        raise NotYet(f"the database's encoding is {found['encoding']}, and has to be UTF8: {make}")


_FITNESS: Final = """
SELECT current_setting('server_version_num')::int / 10000 AS major, current_setting('server_version') AS version,
    current_setting('server_encoding') AS encoding
"""


async def pending(part: Part | None = None) -> list[str]:
    """The steps of this release, of every package, that the connected database lacks; all if it was never migrated.

    Given a part, those of that part alone: processes serve as soon as nothing is missing of `BEFORE`. That is also the part of
    `EVENT_TYPES`, which is missing when every step before was taken and the rest of the work wasn't done.
    """
    taken = await _taken()
    known = sorted(_known().items(), key=lambda named: turn_of(named[1]))
    missing = [(name, part_of(step)) for name, step in known if name not in taken]
    if Part.BEFORE not in (of for _, of in missing) and await fetch_value(_HAS_UNLEARNT, *log.KNOWN):
        missing.append((EVENT_TYPES, Part.BEFORE))
    return [name for name, of in missing if part in (None, of)]


_HAS_UNLEARNT: Final = """
SELECT EXISTS (SELECT * FROM unnest($1::text[], $2::int[]) EXCEPT SELECT type, schema_version FROM event_types)
"""


async def unknown() -> list[str]:
    """The steps that were taken in the connected database and that this release doesn't have: a later one's."""
    return sorted(await _taken() - _known().keys())


async def _taken() -> set[str]:
    """The names of all steps that were taken in the connected database."""
    if await fetch_value("SELECT to_regclass('tortoise_migrations') IS NULL"):
        return set()
    return {f"{row['app']}.{row['name']}" for row in await fetch("SELECT app, name FROM tortoise_migrations")}


@asynccontextmanager
async def _alone() -> AsyncIterator[Connection]:
    """A connection that has the lock: if it is lost, so is what was begun on it."""
    client = get_connection("default")
    async with client.acquire_connection() as lent:
        connection = cast("Connection", lent)
        while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", MIGRATION_LOCK):  # noqa: ASYNC110 - see above
            await asyncio.sleep(TURN_SECONDS)
        try:
            yield connection
        finally:
            with suppress(*AWAY):  # then the lock is gone with its connection, and what ended the block is told
                await connection.fetchval("SELECT pg_advisory_unlock($1)", MIGRATION_LOCK)


async def _steps(apps: dict[str, object]) -> list[migrations.Migration]:
    """What is missing, in order: release by release, and within one what comes before in all packages, then what comes after."""
    client = get_connection("default")
    executor = MigrationExecutor(client, cast("dict[str, dict[str, object]]", apps))
    await executor.recorder.ensure_schema(AsyncpgSchemaEditor(client, atomic=False))
    return sorted((one.migration for one in await executor.plan()), key=turn_of)


async def _wanted(missing: Sequence[migrations.Migration], extent: Extent) -> list[migrations.Migration]:
    """Which of these steps to take. The parts of an upgrade follow each other, so they are the first ones."""
    if extent is Extent.ALL or await _is_new():
        return list(missing)
    parts = [part_of(step) for step in missing]
    if extent is Extent.AFTER:
        if Part.BEFORE in parts:
            raise NotYet(f"{_named(missing[0])} comes before: `earnest migrate` first, then this release's processes")
        return list(missing)
    count = parts.index(Part.AFTER) if Part.AFTER in parts else len(parts)
    if Part.BEFORE in parts[count:]:
        left = missing[count]
        raise NotYet(
            f"{_named(left)} of release {release_of(left)} is still to be taken, which the release before that can't "
            "bear. If none of its processes is left, `earnest migrate --after` of that release; if nothing runs at all, "
            "`earnest migrate --all`"
        )
    return list(missing[:count])


async def _is_new() -> bool:
    """Whether nobody was ever served here: there is no event."""
    if await fetch_value("SELECT to_regclass('events') IS NULL"):
        return True
    return not await fetch_value("SELECT EXISTS (SELECT FROM events)")


async def _refuse_others(connection: Connection) -> None:
    """Raise `NotYet` while another release is connected to this database."""
    found = await connection.fetch(OTHERS_SQL, APPLICATION)
    if found:
        said = ", ".join(f"{row['name']} from {row['host']} ({row['connections']} connections)" for row in found)
        raise NotYet(f"processes of another release are still connected: {said}. Stop them first")


# Of what other roles' connections are called everybody sees the name; where they come from, `pg_read_all_stats` does.
OTHERS_SQL: Final = """
SELECT application_name AS name, count(*) AS connections,
    CASE WHEN backend_start IS NULL THEN 'where our role may not see' ELSE coalesce(host(client_addr), 'this machine') END AS host
FROM pg_stat_activity
WHERE datname = current_database() AND application_name ~ '^earnest( |$)' AND application_name <> $1
GROUP BY 1, 3 ORDER BY 1, 3
"""


async def _learn(connection: Connection) -> None:
    """Make those event types of this release known that aren't yet, where there are tables by now."""
    if await connection.fetchval("SELECT to_regclass('event_types') IS NULL"):
        return
    if await connection.fetchval(_HAS_UNLEARNT, *log.KNOWN):
        async with connection.transaction():
            await connection.execute(log.LEARN_SQL, *log.KNOWN)


async def _take(step: migrations.Migration, connection: Connection) -> str:
    """Take a step on the connection with the lock, and note it; gives its name."""
    lasting = [one for one in step.operations if not isinstance(one, RunSQL)]
    if lasting and part_of(step) is Part.AFTER:
        await _refuse_others(connection)
    for one in lasting:
        if isinstance(one, InBatches):
            await _fill(one, connection, _named(step))
        elif isinstance(one, Concurrently):
            await _patiently(_named(step), partial(_build, one, connection))
        else:
            raise TypeError(f"{_named(step)}: {type(one).__name__} is no operation of ours")
    await _patiently(_named(step), partial(_at_once, step, connection))
    return _named(step)


async def _patiently(name: str, work: Callable[[], Awaitable[T]]) -> T:
    """Do a part of the step of this name, again and again while others are in its way."""
    left = LOCK_TRIES
    while True:
        try:
            return await work()
        except _TAKEN as error:
            left -= 1
            if not left:
                raise
            _log.warning("a table is taken, the step is tried again", extra={"step": name, "error": error})
            await _pause(PAUSE_SECONDS)


async def _at_once(step: migrations.Migration, connection: Connection) -> None:
    """The plain SQL of a step, and the note that it was taken, in one transaction that keeps nobody waiting for long."""
    statements = [cast("str", one.sql) for one in step.operations if isinstance(one, RunSQL)]
    async with connection.transaction():
        if part_of(step) is Part.AFTER:  # somebody may have started one since the last step, which may have taken long
            await _refuse_others(connection)
        await _send_vacuums_away(statements, connection)
        await connection.execute(f"SET LOCAL lock_timeout = {LOCK_MS}")
        for sql in statements:
            await connection.execute(sql)
        await connection.execute(
            "INSERT INTO tortoise_migrations (app, name, applied_at) VALUES ($1, $2, clock_timestamp())",
            *(step.app_label, step.name),
        )


async def _send_vacuums_away(statements: Sequence[str], connection: Connection) -> None:
    """Have nobody vacuum or analyse the tables that these statements name until the transaction ends."""
    rows = await connection.fetch(_VACUUMED, "\n".join(statements))
    if rows:
        await connection.execute(_BE_PATIENT, VACUUM_MS)
        await connection.execute(f"LOCK TABLE {', '.join(row['name'] for row in rows)} IN SHARE UPDATE EXCLUSIVE MODE")


_VACUUMED: Final = """
SELECT DISTINCT relation::regclass::text AS name FROM pg_locks JOIN pg_class ON pg_class.oid = relation
WHERE database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND mode = 'ShareUpdateExclusiveLock'
    AND granted AND pid <> pg_backend_pid() AND relkind = 'r' AND strpos($1, relname) > 0
ORDER BY 1
"""

_BE_PATIENT: Final = """
SELECT set_config(
    'lock_timeout', (extract(epoch FROM current_setting('deadlock_timeout')::interval) * 1000 + $1::int)::int::text, true)
"""


async def _pause(seconds: float) -> None:
    """Let whoever waits for the table have it meanwhile."""
    await asyncio.sleep(seconds)


async def _fill(batches: InBatches, connection: Connection, name: str) -> None:
    count = None
    while count != "0":
        count = (await _patiently(name, partial(connection.execute, batches.sql))).rpartition(" ")[2]


async def _build(index: Concurrently, connection: Connection) -> None:
    """Build an index unless there is a valid one; half of one is left by whoever was killed."""
    state = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)"
    is_valid = await connection.fetchval(state, index.index)
    if is_valid is False:
        await connection.execute(f'DROP INDEX CONCURRENTLY "{index.index}"')
    if not is_valid:
        await connection.execute(index.sql)


async def _renew_titles() -> None:
    """Make the words of titles anew that another release made, some at a time: nobody waits for all of them."""
    while await _patiently(TITLES, _renew_some_titles):
        pass


async def _renew_some_titles() -> int:
    async with in_transaction():
        return await titles.renew()


def _named(step: migrations.Migration) -> str:
    return f"{step.app_label}.{step.name}"


def _known() -> dict[str, migrations.Migration]:
    """Every package's steps by name. Packages above this one are found by the name under which they are registered."""
    apps = tortoise_config("postgres://nobody@nowhere/nothing")["apps"]
    return {
        f"{app}.{name}": importlib.import_module(f"{config['migrations']}.{name}").Migration(name, app)
        for app, config in apps.items()
        for name in sorted(
            module.name for module in pkgutil.iter_modules(importlib.import_module(config["migrations"]).__path__)
        )
    }
