"""Looks at PostgreSQL: whether it answers, what it is, how it is set, and what our role may do there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg

from earnest.backups.taking import SLOT
from earnest.doctor.findings import Finding, Grade, fine, in_a_line, odd, wrong
from escrow.database import configuration
from escrow.migrate import VERSION_MIN

SUBJECT: Final = "PostgreSQL"
ANSWER_SECONDS: Final = 5.0
EXTENSIONS: Final = frozenset({"plpgsql"})
"""Those that the tables need; PostgreSQL has them unless somebody took them away."""

CONNECTIONS_BESIDE: Final = 12
"""What a web process has beside its pool."""

Connection = Any

FACTS: Final = f"""
SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int / 10000 AS major,
    current_setting('server_encoding') AS encoding, current_database() AS name, current_user AS role,
    pg_is_in_recovery() AS standby, current_setting('default_transaction_read_only') = 'on' AS read_only,
    current_setting('default_transaction_isolation') AS isolation, current_setting('fsync') AS fsync,
    current_setting('full_page_writes') AS full_page_writes, current_setting('synchronous_commit') AS synchronous_commit,
    current_setting('autovacuum') AS autovacuum, current_setting('max_connections')::int AS connections_max,
    (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS superuser,
    ARRAY(SELECT extname::text FROM pg_extension) AS extensions,
    (SELECT last_failed_time > coalesce(last_archived_time, '-infinity') FROM pg_stat_archiver) AS archiving_fails,
    ARRAY(SELECT slot_name::text FROM pg_replication_slots WHERE NOT active ORDER BY slot_name) AS slots_unread,
    current_setting('archive_mode') <> 'off'
        OR EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = '{SLOT}' AND active) AS is_handed_on
"""  # noqa: S608 - only our own name of the slot is filled in

MISSING_RIGHTS: Final = """
SELECT needed.privilege, array_agg(relname::text ORDER BY relname) AS relations
FROM pg_class CROSS JOIN LATERAL unnest(
    CASE relkind WHEN 'S' THEN ARRAY['USAGE'] ELSE ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE'] END) AS needed (privilege)
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'S')
    AND NOT CASE relkind WHEN 'S' THEN has_sequence_privilege(oid, 'USAGE') ELSE has_table_privilege(oid, needed.privilege) END
GROUP BY needed.privilege ORDER BY needed.privilege
"""

CLOSED_FUNCTIONS: Final = """
SELECT needed.name FROM unnest(ARRAY[
    'pg_control_system()', 'pg_current_wal_lsn()', 'pg_walfile_name(pg_lsn)']) AS needed (name)
WHERE NOT has_function_privilege('pg_catalog.' || needed.name, 'EXECUTE') ORDER BY needed.name
"""
"""Of the functions by which we see that the server was restored; PostgreSQL lets everybody call them."""


async def connect(url: str) -> Connection:
    """A connection as processes make theirs; raises as asyncpg does."""
    given = configuration(url)["connections"]["default"]["credentials"]
    names = ("host", "port", "user", "password", "database", "ssl")
    return await asyncpg.connect(
        timeout=ANSWER_SECONDS, **{name: given[name] for name in names if given.get(name) is not None}
    )


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    """The same, closed in the end."""
    connection = await connect(url)
    try:
        yield connection
    finally:
        await connection.close(timeout=ANSWER_SECONDS)


def unreachable(error: Exception) -> Finding:
    """Why there is no connection, and what to do about that kind of it."""
    match error:
        case asyncpg.InvalidPasswordError() | asyncpg.InvalidAuthorizationSpecificationError():
            remedy = "set the user and the password of DATABASE_URL right, or let that user in (pg_hba.conf)"
        case asyncpg.InvalidCatalogNameError():
            remedy = (
                "make it (createdb --encoding UTF8 NAME), then `earnest migrate`; or name another one in DATABASE_URL"
            )
        case asyncpg.TooManyConnectionsError():
            remedy = "raise max_connections, or give each process fewer connections (?maxsize= in DATABASE_URL)"
        case asyncpg.CannotConnectNowError():
            remedy = "wait until it has started; its log says what it is doing"
        case TimeoutError():
            remedy = "see whether a firewall is between, or something else listens there: a server that is away refuses at once"
            return wrong(SUBJECT, f"says nothing within {ANSWER_SECONDS:g} s", remedy)
        case _:
            remedy = "see whether it runs, whether host and port in DATABASE_URL are right, and whether a firewall is between"
    return wrong(SUBJECT, f"can't be reached ({in_a_line(error)})", remedy)


async def look(url: str, *, pool_size: int, is_built_in: bool = False, keeps_backups: bool = False) -> list[Finding]:
    """What is to be said of the server, and of our role there; that it is the superuser's is right where all is built in.

    `keeps_backups` where Earnest is to keep them, so that somebody has to get what the server writes.
    """
    try:
        async with connected(url) as connection:
            facts = dict(await connection.fetchrow(FACTS))
            facts["superuser"] = facts["superuser"] and not is_built_in
            facts["is_handed_on"] = facts["is_handed_on"] or not keeps_backups
            return [*judge(facts, pool_size=pool_size), *await rights(connection, role=facts["role"])]
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return [unreachable(error)]


def judge(facts: Mapping[str, Any], *, pool_size: int) -> list[Finding]:
    """What the facts mean."""
    found = [
        finding
        for is_so, finding in (*_what_it_is(facts), *_how_it_is_set(facts), _for_how_many(facts, pool_size))
        if is_so
    ]
    said = f"{facts['version']}, database {facts['name']}, {facts['encoding']}"
    return found if any(finding.grade is Grade.WRONG for finding in found) else [fine(SUBJECT, said), *found]


def _what_it_is(facts: Mapping[str, Any]) -> list[tuple[bool, Finding]]:
    """Each with whether it is so."""
    missing = EXTENSIONS - set(facts["extensions"])
    names = ", ".join(sorted(missing))
    primary = "name the primary in DATABASE_URL, or make it one"
    writable = f"ALTER ROLE {facts['role']} RESET default_transaction_read_only, also for the database"
    utf8 = "make a database with createdb --encoding UTF8 --template template0"
    upgrade = f"upgrade it to {VERSION_MIN} or newer (pg_upgrade)"
    return [
        (facts["major"] < VERSION_MIN, wrong(SUBJECT, f"{facts['version']} is too old", upgrade)),
        (facts["encoding"] != "UTF8", wrong(SUBJECT, f"the database's encoding is {facts['encoding']}", utf8)),
        (facts["standby"], wrong(SUBJECT, "it is a standby: nothing can be written", primary)),
        (facts["read_only"], wrong(SUBJECT, "default_transaction_read_only is on: nothing can be written", writable)),
        (bool(missing), wrong(SUBJECT, f"the extension {names} is missing", f"CREATE EXTENSION {names}; as the owner")),
    ]


def _how_it_is_set(facts: Mapping[str, Any]) -> list[tuple[bool, Finding]]:
    """Each with whether it is so."""
    turn_on = "ALTER SYSTEM SET {} = on; SELECT pg_reload_conf()"
    isolation = f"default_transaction_isolation is {facts['isolation']}; Earnest is written for read committed"
    reset = f"ALTER ROLE {facts['role']} RESET default_transaction_isolation, also for the database"
    grows = "autovacuum is off: tables grow and plans get worse"
    own = "make a role for Earnest that owns its database and nothing else"
    alone = f"nobody keeps what it writes: archive_mode is off, and nobody reads the slot {SLOT}; a restore ends at the last copy"
    hand_on = "run `earnest backup --follow` as a service, or set archive_command (built in it is set by the next `earnest up`)"
    loses = "is off: a power cut can lose money that was acknowledged"
    durable = ("fsync", "full_page_writes", "synchronous_commit")
    return [
        *((facts[name] == "off", wrong(SUBJECT, f"{name} {loses}", turn_on.format(name))) for name in durable),
        (facts["autovacuum"] == "off", odd(SUBJECT, grows, turn_on.format("autovacuum"))),
        (facts["isolation"] != "read committed", wrong(SUBJECT, isolation, reset)),
        *_what_piles_up(facts),
        (not facts["is_handed_on"], odd(SUBJECT, alone, hand_on)),
        (facts["superuser"], odd(SUBJECT, f"{facts['role']} is a superuser", own)),
    ]


def _what_piles_up(facts: Mapping[str, Any]) -> list[tuple[bool, Finding]]:
    """Each with whether it is so: a disk that is full of the log stops everything."""
    fails = "archive_command fails: what is written is kept nowhere else, and stays until the disk is full"
    room = "make room where backups are kept (`earnest backup --keep N`), or see why in PostgreSQL's log"
    unread = f"nobody reads {_some(facts['slots_unread'])}: what is written stays until the disk is full"
    drop = "have it read again (`earnest backup --follow`, the standby), or SELECT pg_drop_replication_slot('…')"
    return [
        (bool(facts["archiving_fails"]), wrong(SUBJECT, fails, room)),
        (bool(facts["slots_unread"]), odd(SUBJECT, unread, drop)),
    ]


def _for_how_many(facts: Mapping[str, Any], pool_size: int) -> tuple[bool, Finding]:
    needed = 2 * pool_size + CONNECTIONS_BESIDE
    said = f"max_connections is {facts['connections_max']}; a web process and a worker take up to {needed}"
    remedy = "raise it, or give each process fewer (?maxsize= in DATABASE_URL)"
    return facts["connections_max"] < needed, wrong(SUBJECT, said, remedy)


async def rights(connection: Connection, *, role: str) -> list[Finding]:
    """What our role lacks on the tables that there are. `earnest migrate` may be run by another one that owns them."""
    if not await connection.fetchval("SELECT has_schema_privilege('public', 'USAGE')"):
        return [wrong("rights", f"{role} may not use the schema public", f'GRANT USAGE ON SCHEMA public TO "{role}"')]
    missing = [
        wrong(
            "rights", f"{role} may not {_VERBS.get(privilege, privilege)} {_some(relations)}", _grant(privilege, role)
        )
        for privilege, relations in await connection.fetch(MISSING_RIGHTS)
    ]
    missing += [_closed(name, role) for (name,) in await connection.fetch(CLOSED_FUNCTIONS)]
    return missing or [fine("rights", f"{role} may read and write every table")]


def _closed(function: str, role: str) -> Finding:
    said = f"{role} may not call {function}, by which a restored server is known: no event gets its place in the log"
    return wrong("rights", said, f'GRANT EXECUTE ON FUNCTION pg_catalog.{function} TO "{role}"; as the superuser')


_VERBS: Final = {"USAGE": "use"}
"""Privileges that are no verbs."""


def _grant(privilege: str, role: str) -> str:
    of = "SEQUENCES" if privilege == "USAGE" else "TABLES"
    return f'GRANT {privilege} ON ALL {of} IN SCHEMA public TO "{role}"; as their owner'


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
