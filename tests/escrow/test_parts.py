"""Steps before and after: what each may be made of, as a test reads it, and that an upgrade takes them when they may be taken."""

from __future__ import annotations

import asyncio
import importlib
import secrets
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGKILL
from typing import Any, cast

import asyncpg
import pytest
from tortoise.migrations.operations import Operation, RunSQL

from earnest.engines.postgres import EmbeddedPostgres
from earnest.engines.processes import Record
from escrow import database, migrate, settings
from escrow.migrate import Extent, NotYet
from escrow.parts import After, Before, Concurrently, InBatches, Part, release_of, turn_of
from escrow.release import RELEASE
from tests.engines import TestServer
from tests.escrow.reading_steps import objections
from tests.escrow.test_migrate import empty, steps
from tests.upgrade import former
from tests.workers.forking import Forked

WITHOUT_A_PART = frozenset({"m0001_deliveries", *(f"m{number:04}" for number in range(1, 22))})
"""Steps that are older than the parts."""

NEXT = "tests.escrow.next_release"
BEFORE = [f"escrow.{name}" for name in ("m9001_told", "m9002_all_told", "m9003_found")]
AFTER = ["escrow.m9004_untold"]


def test_a_step_declares_its_part_and_its_release_and_stops_nobody() -> None:
    declaring = [step for step in steps() if not {step.name, step.name.partition("_")[0]} & WITHOUT_A_PART]
    undeclared = [step.name for step in declaring if not isinstance(step, Before | After)]
    assert undeclared == [], "`class Migration(Before)` or `(After)` of escrow/parts.py; CONTRIBUTING.md says more"
    assert all(release_of(step) for step in declaring)
    assert {step.name: objections(step) for step in declaring if objections(step)} == {}


def test_within_a_release_what_comes_before_has_the_smaller_numbers() -> None:
    for app in ("escrow", "webhooks"):
        names = [step.name for step in steps() if step.app_label == app]
        assert names == sorted(names), "in the order of their turns"


def test_no_step_is_of_a_release_that_comes_after_this_one() -> None:
    last, _ = turn_of(steps()[-1])
    assert last <= tuple(map(int, RELEASE.split("."))), "what has a step of a later release is that one, not out yet"


def read(
    *operations: Operation, kind: type[Before | After] = Before, excused: Mapping[str, str] | None = None
) -> list[str]:
    made = type("Migration", (kind,), {"operations": list(operations), "release": "9.0.0", "excused": excused or {}})
    return objections(made("m9999_made_up", "escrow"))


HARMLESS = [
    "CREATE TABLE t (id INT NOT NULL); CREATE UNIQUE INDEX t_id ON t (id); INSERT INTO t VALUES (1); COMMENT ON TABLE t IS 'x'",
    "ALTER TABLE contracts ADD COLUMN colour TEXT",
    "ALTER TABLE contracts ADD COLUMN colour TEXT NOT NULL DEFAULT 'grey'",
    "ALTER TABLE contracts ADD COLUMN a INT, ADD COLUMN b INT, ADD CONSTRAINT c CHECK (a > b) NOT VALID",
    "ALTER TABLE contracts VALIDATE CONSTRAINT c",
    "CREATE FUNCTION f() RETURNS INT LANGUAGE sql AS 'SELECT 1'",
]

NOTICED = {
    "ALTER TABLE contracts DROP COLUMN title": "contracts.title",
    "ALTER TABLE contracts RENAME COLUMN title TO name": "contracts",
    "ALTER TABLE contracts RENAME TO agreements": "contracts",
    "DROP TABLE contracts": "contracts",
    "DROP INDEX contracts_by_client": "contracts_by_client",
    "TRUNCATE contracts": "TruncateStmt",
    "ALTER TABLE contracts ADD COLUMN colour TEXT NOT NULL": "contracts.colour",
    "ALTER TABLE contracts ADD COLUMN at TIMESTAMPTZ DEFAULT clock_timestamp()": "contracts.at",
    "ALTER TABLE contracts ADD COLUMN colour TEXT UNIQUE": "contracts.colour",
    "ALTER TABLE contracts ALTER COLUMN title SET NOT NULL": "contracts.title",
    "ALTER TABLE contracts ALTER COLUMN title TYPE VARCHAR(10)": "contracts.title",
    "ALTER TABLE contracts ALTER COLUMN title SET DEFAULT 'x'": "contracts.title",
    "ALTER TABLE contracts ADD CONSTRAINT short CHECK (length(title) < 10) NOT VALID": "short",
    "ALTER TABLE contracts ADD COLUMN a INT, ADD CONSTRAINT seen CHECK (a > 0)": "seen",
    "ALTER TABLE contracts ADD CONSTRAINT one UNIQUE (title)": "one",
    "ALTER TABLE contracts DROP CONSTRAINT contracts_pkey": "contracts.contracts_pkey",
    "CREATE INDEX i ON contracts (title)": "i",
    "UPDATE contracts SET title = ''": "contracts",
    "DELETE FROM contracts": "contracts",
    "INSERT INTO contracts SELECT * FROM contracts": "contracts",
    "CREATE OR REPLACE FUNCTION lots_total(JSONB) RETURNS INT LANGUAGE sql AS 'SELECT 1'": "lots_total",
    "CREATE TRIGGER t BEFORE UPDATE ON contracts FOR EACH ROW EXECUTE FUNCTION f()": "t",
    "DO $$ BEGIN END $$": "DoStmt",
    "LOCK TABLE contracts": "LockStmt",
}  # fmt: skip


@pytest.mark.parametrize("sql", HARMLESS)
def test_what_only_adds_is_harmless(sql: str) -> None:
    assert read(RunSQL(sql)) == []


@pytest.mark.parametrize(("sql", "name"), NOTICED.items(), ids=list(NOTICED))
def test_what_the_former_release_would_notice_is_objected_to_unless_it_is_excused(sql: str, name: str) -> None:
    found = read(RunSQL(sql))
    assert [said.partition(":")[0] for said in found] in ([name], [name, name])
    assert read(RunSQL(sql), excused={name: "since nobody uses it"}) == []


TAKING = [
    "DROP TABLE t",
    "ALTER TABLE contracts DROP COLUMN title",
    "ALTER TABLE contracts ALTER COLUMN title DROP NOT NULL",
]
LASTING = [
    "UPDATE contracts SET title = ''",
    "CREATE INDEX i ON contracts (title)",
    "ALTER TABLE contracts ADD CONSTRAINT c CHECK (true)",
]


def test_what_comes_after_may_take_away_but_still_keeps_nobody_waiting() -> None:
    assert [read(RunSQL(sql), kind=After) for sql in TAKING] == [[], [], []]
    assert [len(read(RunSQL(sql), kind=After)) for sql in LASTING] == [1, 1, 1]


def test_what_lasts_stands_in_a_step_of_its_own_with_a_bound() -> None:
    some = "UPDATE contracts SET title = '' WHERE id IN (SELECT id FROM contracts WHERE title <> '' LIMIT 100)"
    assert read(InBatches(some)) == []
    assert len(read(InBatches("UPDATE contracts SET title = ''"))) == 1
    assert len(read(InBatches(some), RunSQL("CREATE TABLE t (id INT)"))) == 1
    index = "CREATE INDEX CONCURRENTLY i ON contracts (title)"
    assert read(Concurrently("i", index)) == []
    assert len(read(Concurrently("other", index))) == 1
    unique = index.replace("CREATE", "CREATE UNIQUE")
    assert [len(read(Concurrently("i", unique), kind=kind)) for kind in (Before, After)] == [1, 0]


@pytest.fixture
async def served(server: TestServer) -> AsyncIterator[tuple[str, asyncpg.Connection]]:
    """A database of this release that somebody was served from, and a connection to it."""
    url = await server.clone()
    connection = await asyncpg.connect(url)
    await connection.execute("SET session_replication_role = replica")
    await connection.execute(
        "INSERT INTO events (id, stream_id, sequence, type, schema_version, occurred_at, body, hash) "
        "VALUES ('evt_1', 'acc_1', 1, 'account.created', 1, now(), '{}', repeat('0', 64))"
    )
    yield url, connection
    await connection.close()
    await server.drop(url)


@pytest.fixture
def next_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on migrations are those of a later release."""
    plain = settings.tortoise_config

    def later(url: str) -> dict[str, Any]:
        config = plain(url)
        config["apps"]["escrow"]["migrations"] = NEXT
        return config

    for module in (migrate, database):
        monkeypatch.setattr(module, "tortoise_config", later)


Served = tuple[str, asyncpg.Connection]


@pytest.mark.usefixtures("next_release")
async def test_before_goes_as_far_as_the_former_release_can_bear_and_after_does_the_rest(served: Served) -> None:
    url, connection = served
    with pytest.raises(NotYet, match=r"m9001_told comes before"):
        await migrate.migrate(url, Extent.AFTER)
    assert await migrate.migrate(url, Extent.BEFORE) == BEFORE
    assert await migrate.migrate(url, Extent.BEFORE) == []
    assert await connection.fetchval("SELECT count(*) FROM event_types WHERE told IS NULL") == 0
    assert await migrate.migrate(url, Extent.AFTER) == AFTER
    assert await migrate.migrate(url, Extent.ALL) == []


@pytest.mark.usefixtures("next_release")
async def test_what_comes_after_waits_until_the_last_process_of_another_release_has_gone(served: Served) -> None:
    url, _ = served
    await migrate.migrate(url, Extent.BEFORE)
    for name in ("earnest", "earnest 0.9.0", f"earnest {former.release()}"):
        other = await asyncpg.connect(url, server_settings={"application_name": name})
        with pytest.raises(NotYet, match=f"{name} from this machine"):
            await migrate.migrate(url, Extent.AFTER)
        await other.close()
    assert await migrate.migrate(url, Extent.AFTER) == AFTER


async def test_processes_of_another_role_are_seen_by_whoever_migrates_though_not_where_they_are(served: Served) -> None:
    url, connection = served
    role = f"migrator_{secrets.token_hex(4)}"
    other = await asyncpg.connect(url, server_settings={"application_name": "earnest 0.9.0"})
    await connection.execute(f"CREATE ROLE {role}")
    try:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL ROLE {role}")
            with pytest.raises(NotYet, match=r"earnest 0\.9\.0 from where our role may not see \(1 connections\)"):
                await migrate._refuse_others(cast("database.Connection", connection))
    finally:
        await connection.execute(f"DROP ROLE {role}")
        await other.close()


@pytest.mark.usefixtures("next_release")
async def test_everything_at_once_is_not_taken_either_while_a_process_of_another_release_is_there(
    served: Served,
) -> None:
    url, connection = served
    other = await asyncpg.connect(url, server_settings={"application_name": "earnest 0.9.0"})
    with pytest.raises(NotYet, match=r"earnest 0\.9\.0 from this machine"):
        await migrate.migrate(url, Extent.ALL)
    assert await connection.fetchval(IS_TAKEN, "m9001_told") is False, "nothing was begun"
    await other.close()
    assert await migrate.migrate(url, Extent.ALL) == [*BEFORE, *AFTER]


@pytest.mark.usefixtures("next_release")
async def test_a_process_of_another_release_that_comes_meanwhile_keeps_what_it_needs(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, connection = served
    others: list[asyncpg.Connection] = []
    build = migrate._build

    async def as_one_comes(*given: Any) -> None:
        await build(*given)
        others.append(await asyncpg.connect(url, server_settings={"application_name": "earnest 0.9.0"}))

    monkeypatch.setattr(migrate, "_build", as_one_comes)
    with pytest.raises(NotYet, match=r"earnest 0\.9\.0 from this machine"):
        await migrate.migrate(url, Extent.ALL)
    assert [await connection.fetchval(IS_TAKEN, name) for name in ("m9003_found", "m9004_untold")] == [True, False]
    assert await connection.fetchval("SELECT count(told) FROM event_types") > 0, "what it needs is there"
    await others[0].close()
    assert await migrate.migrate(url, Extent.AFTER) == AFTER


IS_TAKEN = "SELECT EXISTS (SELECT FROM tortoise_migrations WHERE name = $1)"


@pytest.mark.usefixtures("next_release")
@pytest.mark.parametrize("code", ["40P01", "40001", "55P03"])
async def test_what_lasts_is_gone_on_with_after_a_statement_that_fell_victim_to_others(
    served: Served, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    url, connection = served
    paused: list[float] = []

    async def pause(seconds: float) -> None:
        paused.append(seconds)

    monkeypatch.setattr(migrate, "_pause", pause)
    await connection.execute(FALLS_VICTIM.format(code=code))
    assert await migrate.migrate(url, Extent.BEFORE) == BEFORE
    assert await connection.fetchval(UNTOLD) == 0
    assert len(paused) == 2


FALLS_VICTIM = """
CREATE SEQUENCE blows;
CREATE FUNCTION falls_victim() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('blows') IN (15, 16) THEN RAISE EXCEPTION 'a victim' USING ERRCODE = '{code}'; END IF;
    RETURN new;
END $$;
CREATE TRIGGER falls_victim BEFORE UPDATE ON event_types FOR EACH ROW EXECUTE FUNCTION falls_victim();
"""
"""The fifteenth row that is filled ends its statement, and so does the first one of the next."""


@pytest.mark.usefixtures("next_release")
async def test_a_new_database_gets_everything_at_once(server: TestServer) -> None:
    url = await empty(server)
    last = [*BEFORE, *AFTER]
    assert (await migrate.migrate(url, Extent.BEFORE))[-len(last) :] == last
    await server.drop(url)


@pytest.mark.usefixtures("next_release")
async def test_a_release_is_not_left_out_while_something_of_the_one_before_it_is_still_to_be_taken(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, _ = served
    monkeypatch.setattr(importlib.import_module(f"{NEXT}.m9003_found").Migration, "part", Part.AFTER)
    later = importlib.import_module(f"{NEXT}.m9004_untold").Migration
    monkeypatch.setattr(later, "part", Part.BEFORE)
    monkeypatch.setattr(later, "release", "10.0.0")
    with pytest.raises(NotYet, match=r"m9003_found of release 9\.0\.0 is still to be taken"):
        await migrate.migrate(url, Extent.BEFORE)
    assert await migrate.migrate(url, Extent.ALL) == [*BEFORE, *AFTER]


@pytest.mark.usefixtures("next_release")
async def test_half_of_an_index_is_dropped_and_built_anew(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    url, connection = served
    with monkeypatch.context() as patch:
        patch.setattr(migrate, "_build", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await migrate.migrate(url, Extent.BEFORE)
    holder = await asyncpg.connect(url)
    async with holder.transaction():
        await holder.execute("UPDATE event_types SET schema_version = schema_version")
        building = asyncio.create_task(migrate.migrate(url, Extent.BEFORE))
        while (pid := await connection.fetchval(BUILDING)) is None:  # noqa: ASYNC110 - nothing rings for a lock
            await asyncio.sleep(0.01)
        await connection.execute("SELECT pg_terminate_backend($1)", pid)
        with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the driver says of a connection that was ended
            await building
    await holder.close()
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('event_types_told')"
    assert await connection.fetchval(valid) is False
    assert await migrate.migrate(url, Extent.BEFORE) == BEFORE[2:]
    assert await connection.fetchval(valid) is True


@pytest.mark.usefixtures("next_release")
async def test_a_step_gives_way_to_whoever_has_the_table_and_lets_others_pass(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, connection = served
    monkeypatch.setattr(migrate, "LOCK_MS", 50)
    gave_way = asyncio.Event()

    async def pause(_: float) -> None:
        gave_way.set()
        await free.wait()

    free = asyncio.Event()
    monkeypatch.setattr(migrate, "_pause", pause)
    holder = await asyncpg.connect(url)
    async with holder.transaction():
        await holder.execute("SELECT FROM event_types")
        migrating = asyncio.create_task(migrate.migrate(url, Extent.BEFORE))
        await gave_way.wait()
        await connection.execute("UPDATE event_types SET schema_version = schema_version")  # nobody waits before it
    free.set()
    assert await migrating == BEFORE
    await holder.close()


CROWDED = """
CREATE TABLE tortoise_migrations (app TEXT, name TEXT, applied_at TIMESTAMPTZ);
CREATE TABLE crowded (id INT) WITH (autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0);
INSERT INTO crowded SELECT generate_series(1, 100000);
DELETE FROM crowded WHERE id % 2 = 0;
"""
VACUUMING = """
SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'crowded'::regclass AND mode = 'ShareUpdateExclusiveLock' AND granted)
"""
SLOWLY = {"autovacuum_naptime": "1s", "autovacuum_vacuum_cost_delay": "100ms", "autovacuum_vacuum_cost_limit": "1"}
"""A page takes a tenth of a second: the table is vacuumed for a minute."""


async def test_a_step_has_postgresql_vacuum_its_table_another_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "LOCK_TRIES", 20)
    monkeypatch.setattr(migrate, "PAUSE_SECONDS", 0.0)
    step = type("Migration", (Before,), {"operations": [RunSQL("ALTER TABLE crowded ADD COLUMN colour TEXT")]})
    async with own_postgres(tmp_path, SLOWLY) as url:
        connection = await asyncpg.connect(url)
        await connection.execute(CROWDED)
        while not await connection.fetchval(VACUUMING):  # noqa: ASYNC110 - nothing rings when it begins
            await asyncio.sleep(0.05)
        await migrate._take(step("m9999_made_up", "escrow"), cast("database.Connection", connection))
        assert await connection.fetchval("SELECT name FROM tortoise_migrations") == "m9999_made_up"
        await connection.close()


@asynccontextmanager
async def own_postgres(folder: Path, given: Mapping[str, str]) -> AsyncIterator[str]:
    """The URL of a server of the test's own: the session's vacuums nothing by itself."""
    folder.chmod(0o755)
    with tempfile.TemporaryDirectory(prefix="earnest-", dir="/tmp") as sockets:
        server = EmbeddedPostgres(
            data=folder / "postgres",
            sockets=Path(sockets),
            log=folder / "log",
            record=Record(folder / "processes.json"),
            settings=given,
        )
        try:
            await server.start()
            yield server.url
        finally:
            await server.stop()


ASKING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%pg_try_advisory%'
"""
UNTOLD = "SELECT count(*) FROM event_types WHERE told IS NULL"


@pytest.mark.usefixtures("next_release")
async def test_whoever_is_killed_while_rows_are_filled_keeps_what_was_filled_and_two_others_fill_the_rest_once(
    served: Served, tmp_path: Path
) -> None:
    url, connection = served
    count = await connection.fetchval("SELECT count(*) FROM event_types")
    process = Forked("tests.escrow.filling", url, environ={}, log=tmp_path / "migrator.log")
    assert await process.wait() == -SIGKILL, (tmp_path / "migrator.log").read_text()
    assert await connection.fetchval(UNTOLD) == count - 10 > 10, "ten rows are committed, and the next ten aren't begun"
    assert await migrate.migrate(url, Extent.BEFORE) == BEFORE[1:]
    assert await connection.fetchval(UNTOLD) == 0


@pytest.mark.usefixtures("next_release")
async def test_of_two_migrators_one_fills_and_the_other_waits_until_it_has(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, connection = served
    at, goes_on, fill, filled = asyncio.Event(), asyncio.Event(), migrate._fill, 0

    async def slowly(*given: Any) -> None:
        nonlocal filled
        filled += 1
        at.set()
        await goes_on.wait()
        await fill(*given)

    monkeypatch.setattr(migrate, "_fill", slowly)
    first = asyncio.create_task(migrate.migrate(url, Extent.BEFORE))
    await at.wait()
    second = asyncio.create_task(migrate.migrate(url, Extent.BEFORE))
    while not await connection.fetchval(ASKING):  # noqa: ASYNC110 - nothing rings for a lock that isn't had
        await asyncio.sleep(0.01)
    goes_on.set()
    assert (await first, await second, filled) == (BEFORE, [], 1)
    assert await connection.fetchval(UNTOLD) == 0


BUILDING = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND query LIKE 'CREATE INDEX CONCURRENTLY%' AND wait_event_type = 'Lock'
"""

EVERYTHING = """
SELECT format('%s.%s %s %s %s', attrelid::regclass, attname, format_type(atttypid, atttypmod), attnotnull,
    pg_get_expr(adbin, adrelid)) AS said
    FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE attnum > 0 AND NOT attisdropped AND attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
UNION ALL SELECT conrelid::regclass || conname || pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prokind = 'f'
UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
ORDER BY said
"""


async def everything(url: str) -> list[str]:
    """All that a database's tables are made of."""
    connection = await asyncpg.connect(url)
    found = [row["said"] for row in await connection.fetch(EVERYTHING)]
    await connection.close()
    return found


async def test_whoever_is_killed_in_the_middle_of_any_step_leaves_what_the_next_one_finishes(
    server: TestServer, database_clone: str, tmp_path: Path
) -> None:
    url, log = await empty(server), tmp_path / "migrator.log"
    ends = []
    for _ in steps():
        process = Forked("tests.escrow.migrating", url, environ={}, log=log)
        ends.append(await process.wait())
    assert ends == [*[-SIGKILL] * (len(steps()) - 1), 0], log.read_text()
    assert await migrate.migrate(url) == []
    assert await everything(url) == await everything(database_clone)
    await server.drop(url)
