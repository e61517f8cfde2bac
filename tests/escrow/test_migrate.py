"""Migrations: once, under a lock, all or none; and what older releases learn from them."""

from __future__ import annotations

import asyncio
import secrets
from datetime import timedelta

import asyncpg
import pytest

from escrow import database, log, migrate
from escrow.agreement import commands as c
from escrow.agreement import deadlines
from escrow.audit import audit
from escrow.commands import run
from escrow.migrations import m0003_reminders
from tests.engines import TestServer
from tests.factories import Deployment, advance_clock, draft

STEPS = ["escrow.m0001_tables", "escrow.m0002_sweeps", "escrow.m0003_reminders", "escrow.m0004_endpoints"]
EVERY_STEP = [*STEPS, "webhooks.m0001_deliveries"]


async def empty(server: TestServer) -> str:
    """The URL of a new database without tables."""
    name = f"test_{secrets.token_hex(6)}"
    connection = await asyncpg.connect(server.url("postgres"))
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    return server.url(name)


async def test_migrating_twice_finds_nothing_to_do(server: TestServer) -> None:
    url = await empty(server)
    assert (await migrate.migrate(url))[: len(STEPS)] == STEPS
    assert await migrate.migrate(url) == []
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
    assert [row["tablename"] for row in tables] == ["transfers"]
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
    assert await migrate.migrate(url) in ([], EVERY_STEP)
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
