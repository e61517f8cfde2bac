"""Migrations: once, under a lock, each step whole or not at all; and what older releases learn from them."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import secrets
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
from tortoise.migrations.migration import Migration

import escrow.migrations
import webhooks.migrations
from escrow import database, ids, log, migrate
from escrow.access import Scope
from escrow.accounts import commands as accounts
from escrow.accounts import tokens
from escrow.accounts.authentication import authenticate
from escrow.agreement import commands as c
from escrow.agreement import deadlines
from escrow.audit import audit
from escrow.migrations import m0003_reminders, m0006_disagreement, m0010_privilege, m0013_payments
from escrow.parts import Part, turn_of
from escrow.pipeline import run
from tests.engines import TestServer
from tests.factories import Deployment, advance_clock, draft

STEPS = sorted(f"escrow.{path.stem}" for path in Path(m0006_disagreement.__file__).parent.glob("m*.py"))


def steps() -> list[Migration]:
    """Every step of every package, as they are taken by a release that nobody served before."""
    packages = (escrow.migrations, webhooks.migrations)
    found = [(package.__name__, one.name) for package in packages for one in pkgutil.iter_modules(package.__path__)]
    made = [
        importlib.import_module(f"{package}.{name}").Migration(name, package.partition(".")[0])
        for package, name in found
    ]
    return sorted(made, key=turn_of)


EVERY_STEP = [f"{step.app_label}.{step.name}" for step in steps()]


async def empty(server: TestServer, how: str = "") -> str:
    """The URL of a new database without tables."""
    name = f"test_{secrets.token_hex(6)}"
    connection = await asyncpg.connect(server.url("postgres"))
    await connection.execute(f"CREATE DATABASE {name} {how}")
    await connection.close()
    return server.url(name)


async def test_migrating_twice_finds_nothing_to_do(server: TestServer) -> None:
    url = await empty(server)
    assert await migrate.migrate(url) == EVERY_STEP
    assert await migrate.migrate(url) == []
    await server.drop(url)


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
async def test_a_database_that_cannot_hold_every_letter_is_refused_and_stays_empty(
    server: TestServer, encoding: str
) -> None:
    url = await empty(server, f"TEMPLATE template0 ENCODING {encoding} LOCALE_PROVIDER libc LOCALE 'C'")
    with pytest.raises(migrate.NotYet, match=f"encoding is {encoding}, and has to be UTF8: make one with createdb"):
        await migrate.migrate(url)
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    await connection.close()
    await server.drop(url)


async def test_a_server_of_before_is_refused(server: TestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    url = await empty(server)
    monkeypatch.setattr(migrate, "VERSION_MIN", 99)
    with pytest.raises(migrate.NotYet, match=r"PostgreSQL 18\.\d+.* is too old: upgrade it to 99 or newer"):
        await migrate.migrate(url)
    await server.drop(url)


async def test_one_of_several_at_once_migrates_and_the_others_wait(server: TestServer) -> None:
    url = await empty(server)
    applied = await asyncio.gather(*(migrate.migrate(url) for _ in range(4)))
    assert sorted(len(steps) > 0 for steps in applied) == [False, False, False, True]
    await server.drop(url)


async def test_failing_step_leaves_nothing_behind(server: TestServer) -> None:
    url = await empty(server)
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE transfers (it_is INT)")
    with pytest.raises(Exception, match="already exists"):
        await migrate.migrate(url)
    tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert sorted(row["tablename"] for row in tables) == ["tortoise_migrations", "transfers"]
    assert await connection.fetchval("SELECT count(*) FROM tortoise_migrations") == 0
    await connection.execute("DROP TABLE transfers")
    assert await migrate.migrate(url) != []
    await connection.close()
    await server.drop(url)


async def test_a_cancelled_migration_leaves_nothing_behind(server: TestServer) -> None:
    url = await empty(server)
    task = asyncio.create_task(migrate.migrate(url))
    await asyncio.sleep(0.04)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    left = await migrate.migrate(url)
    assert left == EVERY_STEP[len(EVERY_STEP) - len(left) :], "the steps that were not taken"
    await server.drop(url)


@pytest.mark.usefixtures("database")
async def test_windows_that_ran_before_there_were_reminders_get_those_that_lie_ahead() -> None:
    there = await Deployment.make()
    reviewed, paying, older = await there.fund(), await there.activate(), await there.fund("10.00", "20.00")
    await reviewed.submit()
    await older.submit()
    await paying.fund()
    await advance_clock(days=10)
    milestone = c.AddMilestone(contract_id=older.id, milestone=draft())
    rows = "SELECT * FROM deadlines WHERE kind = 'REMINDER' ORDER BY subject_id"
    # As the former release left it: nobody was told anything, also when the contract went on meanwhile.
    await database.execute("DELETE FROM deadlines WHERE kind = 'REMINDER'")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deadlines, "REMINDER_HOURS", ())
        await run(milestone, by=there.client)
    await database.execute(m0003_reminders.RUNNING)
    set_up = await database.fetch(rows)
    assert [row["contract_id"] for row in set_up] == [reviewed.id, paying.id, older.id]
    assert set_up[2]["due_at"] - set_up[0]["due_at"] > timedelta(days=4), "after the contract's last event"
    assert [difference async for difference in audit()] == []


FORMER = """
DROP TABLE evidence, disputes, refund_requests, change_requests, updates;
ALTER TABLE contracts DROP COLUMN ending_by, DROP COLUMN ending_requested_at, DROP COLUMN ending_money_went_back,
    DROP COLUMN all_deposited, DROP COLUMN was_disputed, DROP COLUMN updates_posted, DROP COLUMN is_dormant,
    DROP COLUMN payouts_are_automatic;
ALTER TABLE milestones DROP CONSTRAINT milestones_reminded, DROP COLUMN hold, DROP COLUMN hold_id, DROP COLUMN review_frozen_at,
    DROP COLUMN review_resumed_at, DROP COLUMN client_barred_until, DROP COLUMN freelancer_barred_until, DROP COLUMN frozen_at,
    DROP COLUMN lots, DROP COLUMN bonus_deposit_id, DROP COLUMN bonus_minor, DROP COLUMN rolled_minor, DROP COLUMN lost_minor,
    ADD CONSTRAINT milestones_reminded CHECK (
        reminded_hours IS NULL OR (reminded_hours > 0 AND state IN ('FUNDING', 'SUBMITTED')));
DROP FUNCTION lots_total;
ALTER TABLE deposits DROP COLUMN is_bonus, DROP COLUMN reversal, DROP COLUMN reversed_at, DROP COLUMN is_for_everything,
    DROP COLUMN forfeited_minor;
DELETE FROM deadlines WHERE kind = 'DORMANCY';
"""
"""What the release before had not."""


class Undo(Exception):
    """Ends a transaction that was only to look."""


async def migrated_again(rows: dict[str, str]) -> dict[str, list[database.Record]]:
    """What these statements find after the migration of what the release before had; and then everything is as it was."""
    found = {}
    async with database.transaction() as connection:
        await connection.execute(FORMER)
        for part in m0006_disagreement.PARTS:
            await connection.execute(part)
        for name, sql in rows.items():
            found[name] = await database.fetch(f"{sql} /* again */")
        raise Undo(found)


@pytest.mark.usefixtures("database")
async def test_what_is_held_already_came_from_its_deposit_and_silences_are_counted_from_the_last_event() -> None:
    there = await Deployment.make(client_bps=250, freelancer_bps=1000)
    silent, reviewed = await there.fund(), await there.fund("0.01", "20.00")
    await reviewed.submit()
    await there.activate()
    rows = {
        "milestones": "SELECT * FROM milestones ORDER BY id",
        "contracts": "SELECT * FROM contracts ORDER BY id",
        "deposits": "SELECT * FROM deposits ORDER BY id",
        "deadlines": "SELECT * FROM deadlines ORDER BY contract_id, kind, subject_id",
    }
    before = {name: [dict(row) for row in await database.fetch(sql)] for name, sql in rows.items()}
    with pytest.raises(Undo) as undone:
        await migrated_again(rows)
    (found,) = undone.value.args
    assert {name: [dict(row) for row in found[name]] for name in rows} == before
    assert [row["contract_id"] for row in before["deadlines"] if row["kind"] == "DORMANCY"] == [silent.id]


async def makers_noted_again(rows: str) -> None:
    """What a statement finds after the migration of what the release before had; and then everything is as it was."""
    async with database.transaction() as connection:
        await connection.execute("ALTER TABLE api_keys DROP COLUMN created_by")
        await connection.execute("ALTER TABLE calendar_tokens DROP COLUMN key_id")
        await connection.execute(m0010_privilege.MAKERS)
        raise Undo(await database.fetch(rows))


@pytest.mark.usefixtures("database")
async def test_who_made_the_keys_that_are_there_is_read_from_the_log() -> None:
    there = await Deployment.make()
    made = "SELECT id, created_by FROM api_keys ORDER BY id"
    maker = accounts.CreateApiKey(
        account_id=there.client.account_id or "",
        key_id=ids.new(ids.Kind.KEY),
        name="first",
        scopes=(Scope.CONTRACTS_WRITE,),
        token=tokens.new(),
    )
    await run(maker, by=there.operator)
    by_key = await authenticate(maker.token.text)
    assert by_key is not None
    await run(replace(maker, key_id=ids.new(ids.Kind.KEY), token=tokens.new()), by=by_key)
    before = [dict(row) for row in await database.fetch(made)]
    assert before[-1]["created_by"] == maker.key_id
    with pytest.raises(Undo) as undone:
        await makers_noted_again(f"{made} /* again */")
    assert [dict(row) for row in undone.value.args[0]] == before
    assert [difference async for difference in audit()] == []


async def test_the_vocabulary_grows_and_never_forgets(server: TestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    url = await empty(server)
    await migrate.migrate(url)
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SELECT vocabulary FROM deployment") == log.VOCABULARY
    assert await connection.fetchval("SELECT count(*) FROM event_types") == len(log.CATALOGUE)
    monkeypatch.setattr(log, "KNOWN", ([*log.KNOWN[0], "contract.invented"], [*log.KNOWN[1], 1]))
    await migrate.migrate(url)
    newer = await connection.fetchval("SELECT vocabulary FROM deployment")
    monkeypatch.undo()
    assert newer != log.VOCABULARY
    await migrate.migrate(url)
    assert await connection.fetchval("SELECT vocabulary FROM deployment") == newer
    await connection.close()
    await server.drop(url)


@pytest.mark.usefixtures("database")
async def test_a_step_of_any_package_that_is_not_applied_is_pending() -> None:
    assert await migrate.pending() == []
    for step in ("escrow.m0002_sweeps", "webhooks.m0001_deliveries"):
        app, _, name = step.partition(".")
        await database.execute("DELETE FROM tortoise_migrations WHERE app = $1 AND name = $2", app, name)
        assert await migrate.pending() == [step]
        await database.execute(
            "INSERT INTO tortoise_migrations (app, name, applied_at) VALUES ($1, $2, now())", app, name
        )


INVENTED = ([*log.KNOWN[0], "contract.invented"], [*log.KNOWN[1], 1])
"""The event types of a release after this one."""


async def test_event_types_that_nobody_was_told_of_are_pending(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as later:
        later.setattr(log, "KNOWN", INVENTED)
        found = [await migrate.pending(part) for part in (None, Part.BEFORE, Part.AFTER)]
        assert found == [["escrow.event_types"], ["escrow.event_types"], []]
        await migrate.migrate(database)
        assert await migrate.pending() == []
    assert await migrate.pending() == []


async def test_event_types_are_told_before_a_step_is_taken(server: TestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    url = await empty(server)
    await migrate.migrate(url)
    connection = await asyncpg.connect(url)
    await connection.execute("DELETE FROM tortoise_migrations WHERE app = 'escrow' AND name = $1", STEPS[-1][7:])
    monkeypatch.setattr(log, "KNOWN", INVENTED)
    monkeypatch.setattr(migrate, "_take", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        await migrate.migrate(url)
    assert await connection.fetchval("SELECT EXISTS (SELECT FROM event_types WHERE type = 'contract.invented')")
    assert await connection.fetchval("SELECT vocabulary FROM deployment") != log.VOCABULARY
    await connection.close()
    await server.drop(url)


async def before_payments(url: str, *orders: tuple[str, str, str]) -> asyncpg.Connection:
    """A database of the release before calls were noted, with orders (id, kind, state) alone: nothing else is asked for."""
    connection = await asyncpg.connect(url)
    for step in STEPS[: STEPS.index("escrow.m0013_payments")]:
        for operation in importlib.import_module(f"escrow.migrations.{step.partition('.')[2]}").Migration.operations:
            await connection.execute(operation.sql)
    await connection.execute("SET session_replication_role = replica")
    await connection.executemany(
        "INSERT INTO payment_orders (id, contract_id, kind, state, amount_minor, currency, deposit_id) "
        "VALUES ($1, 'ctr_1', $2, $3, 100, 'USD', 'dep_1')",
        orders,
    )
    return connection


RECEIVED = """
INSERT INTO sandbox_charges (idempotency_key, kind, amount_minor, currency, outcome, notices, received)
    SELECT id, kind, 100, 'USD', 'SUCCEEDS', '{}', id <> 'r_lost' FROM payment_orders WHERE id NOT IN ('n', 'd_lost', 'p_lost')
"""
"""What the sandbox of before made of these orders: one call was lost on its way, some never came so far."""


async def note_calls(connection: asyncpg.Connection) -> dict[str, str | None]:
    """Migrates; gives what the provider calls what it made, by order and step."""
    async with connection.transaction():
        for part in (m0013_payments.CALLS, m0013_payments.ACTIONS, m0013_payments.SANDBOX):
            await connection.execute(part)
    rows = await connection.fetch("SELECT order_id || ' ' || step AS call, provider_id FROM provider_calls")
    return {row["call"]: row["provider_id"] for row in rows}


async def test_calls_of_before_are_noted_as_far_as_the_provider_received_them(server: TestServer) -> None:
    url = await empty(server)
    kinds = {
        "d": ("DEPOSIT", "PAID"),
        "r": ("REFUND", "STARTED"),
        "p": ("PAYOUT", "STARTED"),
        "f": ("PAYOUT", "FAILED"),
    }
    lost = [(f"{name}_lost", *kinds[name]) for name in "drp"]
    connection = await before_payments(
        url, *((name, *of) for name, of in kinds.items()), *lost, ("n", "REFUND", "STARTED")
    )
    await connection.execute("UPDATE payment_orders SET called_at = now() WHERE id <> 'n'")
    await connection.execute(RECEIVED)
    assert sorted((await note_calls(connection)).items()) == [
        ("d PREPARE", "d"),
        ("d_lost PREPARE", None),
        ("f PAYOUT", "f"),
        ("f TAKE_BACK", "f/take-back"),
        ("f TRANSFER", "f/transfer"),
        ("p PAYOUT", "p"),
        ("p TRANSFER", "p/transfer"),
        ("p_lost TRANSFER", None),
        ("r REFUND", "r"),
        ("r_lost REFUND", None),
    ]
    made = await connection.fetch("SELECT id FROM sandbox_charges WHERE kind IN ('TRANSFER', 'TAKE_BACK') ORDER BY id")
    assert [row["id"] for row in made] == ["f/take-back", "f/transfer", "p/transfer"]
    await connection.close()
    await server.drop(url)


async def test_what_a_worker_of_before_calls_while_calls_are_noted_is_noted_too(server: TestServer) -> None:
    url = await empty(server)
    connection, worker = await before_payments(url, ("r", "REFUND", "STARTED")), await asyncpg.connect(url)
    await worker.execute("UPDATE payment_orders SET called_at = now() WHERE id = 'r'")
    async with worker.transaction():
        await worker.execute(RECEIVED)
        noting = asyncio.create_task(note_calls(connection))
        waiting = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pid = $1)"
        while not await worker.fetchval(waiting, connection.get_server_pid()):  # noqa: ASYNC110 - nothing rings for a lock
            await asyncio.sleep(0)
    assert await noting == {"r REFUND": "r"}
    await asyncio.gather(connection.close(), worker.close())
    await server.drop(url)
