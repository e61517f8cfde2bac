"""A database as a former release left it, with an order under way in every state, is migrated, and all goes on to the right end.

`orders-under-way.json` is what the code of the release with m0012 wrote: a contract for each state, in the year 2100
of the test clock, so that domain time can be set to that moment whenever this runs. "Lost" is an order that a worker claimed and
died before it called; "received" is one that died after it.
"""

from __future__ import annotations

import asyncio
import importlib
import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest
from tortoise.context import TortoiseContext

from escrow import migrate
from escrow.audit import audit
from escrow.database import configuration, fetch
from escrow.migrate import Extent
from escrow.payments import orders, reconciliation
from escrow.payments.sandbox import Sandbox
from tests.engines import TestServer
from tests.escrow.test_migrate import EVERY_STEP, STEPS, empty

SNAPSHOT: Final = Path(__file__).with_name("orders-under-way.json")
FORMER: Final = "escrow.m0012_rates"
"""The last step that the release before knew."""

KNOWN: Final = [*STEPS[: STEPS.index(FORMER) + 1], "webhooks.m0001_deliveries"]
MISSING: Final = [step for step in EVERY_STEP if step not in KNOWN]

TURNS: Final = 12
"""More than any of these orders needs, since nothing here waits for a clock."""

ENDS: Final = {
    "deposit new": "PAID",
    "deposit lost": "PAID",
    "deposit received": "PAID",
    "deposit pending": "PAID",
    "deposit paid": "PAID",
    "deposit failed": "FAILED",
    "deposit given up": "ABANDONED",
    "deposit given up, never called": "ABANDONED",
    "deposit taken back": "PAID",
    "refund new": "PAID",
    "refund lost": "PAID",
    "refund received": "PAID",
    "refund paid": "PAID",
    "refund failed": "PAID",
    "payout new": "PAID",
    "payout lost": "PAID",
    "payout received": "PAID",
    "payout paid": "PAID",
    "payout failed": "FAILED",
}
"""A refund that failed is tried anew, a payout is not; what comes for a deposit that was given up is sent back."""

A_DAY_LATER: Final = ENDS | {"refund lost": "STARTED and stuck", "payout lost": "STARTED and stuck"}
"""Nobody calls blindly with a key that may be forgotten: of what was perhaps called a person finds out."""


async def as_it_was_left(url: str, kept: dict[str, Any], *, ago: str) -> None:
    """The tables of the former release, with what it wrote; its calls are as long ago as that, and the domain's time goes on."""
    connection = await asyncpg.connect(url)
    for step in KNOWN:
        app, _, name = step.partition(".")
        for operation in importlib.import_module(f"{app}.migrations.{name}").Migration.operations:
            await connection.execute(operation.sql)
    await connection.execute(
        "CREATE TABLE tortoise_migrations (id SERIAL PRIMARY KEY, app TEXT NOT NULL, name TEXT NOT NULL, applied_at TIMESTAMPTZ)"
    )
    await connection.execute("SET session_replication_role = replica")
    for table, rows in kept["tables"].items():
        await insert(connection, table, rows)
    at = datetime.fromisoformat(kept["at"])
    await connection.execute("UPDATE deployment SET clock_offset = $1 - now()", at)
    await connection.execute(
        "UPDATE payment_orders SET called_at = now() - $1::text::interval WHERE called_at IS NOT NULL", ago
    )
    await connection.execute("UPDATE sandbox_charges SET created_at = now() - $1::text::interval", ago)
    await connection.close()


async def insert(connection: asyncpg.Connection, table: str, rows: list[dict[str, Any]]) -> None:
    """Rows as they were written out; what the database makes by itself it makes again."""
    made = await connection.fetch(
        "SELECT column_name FROM information_schema.columns WHERE table_name = $1 AND is_generated = 'ALWAYS'", table
    )
    names = ", ".join(f'"{name}"' for name in rows[0] if name not in {row["column_name"] for row in made})
    await connection.execute(f'DELETE FROM "{table}"')
    await connection.execute(
        f'INSERT INTO "{table}" ({names}) OVERRIDING SYSTEM VALUE '
        f'SELECT {names} FROM json_populate_recordset(NULL::"{table}", $1)',
        json.dumps(rows),
    )
    for name in rows[0]:
        counted = await connection.fetchval("SELECT pg_get_serial_sequence($1, $2)", table, name)
        if counted is not None:
            await connection.execute("SELECT setval($1, $2)", counted, max(row[name] for row in rows))


@pytest.fixture
async def left(server: TestServer) -> AsyncIterator[str]:
    url = await empty(server)
    yield url
    await server.drop(url)


async def turn(provider: Sandbox) -> None:
    """What a worker does, without its patience."""
    await orders.nudge(await provider.notices())
    await fetch("UPDATE payment_orders SET due_at = now() WHERE due_at IS NOT NULL AND lease_token IS NULL")
    for claimed in await orders.claim(50):
        assert await orders.attend(claimed, provider)


async def standing(named: dict[str, str]) -> dict[str, str]:
    rows = await fetch("SELECT id, state, is_stuck FROM payment_orders")
    found = {row["id"]: f"{row['state']}{' and stuck' if row['is_stuck'] else ''}" for row in rows}
    return {name: found[order_id] for name, order_id in named.items()}


@pytest.mark.parametrize(("ago", "ends"), [("1 minute", ENDS), ("25 hours", A_DAY_LATER)])
async def test_orders_under_way_go_on_to_the_right_end_and_nothing_is_paid_twice(
    left: str, ago: str, ends: dict[str, str]
) -> None:
    kept = json.loads(SNAPSHOT.read_text())
    await as_it_was_left(left, kept, ago=ago)
    assert await migrate.migrate(left) == MISSING
    async with TortoiseContext() as context:
        await context.init(config=configuration(left))
        await fetch("SELECT 1")  # the pool is made by the first statement
        assert [difference async for difference in audit()] == []
        provider = Sandbox(settle_seconds=0.0, slow_seconds=0.0)
        for _ in range(TURNS):
            await turn(provider)
        assert await standing(kept["orders"]) == ends
        assert [difference async for difference in audit()] == []
        moved = Counter[tuple[str | None, str]]()
        async for one in provider.movements(datetime.fromtimestamp(0, UTC)):
            moved[one.order_id, one.kind.value] += 1
        assert {one for one, times in moved.items() if times > 1} == set()
        assert (await reconciliation.reconcile(provider, settling=timedelta(0))).found == []


WRITTEN_BY_A_FORMER_ONE: Final = """
INSERT INTO texts (event_id, field, salt, body) SELECT id, 'x', repeat('x', 16)::bytea, '1' FROM events LIMIT 1;
DELETE FROM log_pending;
INSERT INTO log_pending (event_id) SELECT id FROM events LIMIT 1;
INSERT INTO provider_calls (order_id, step, attempt) SELECT id, 'REFUND', 9 FROM payment_orders LIMIT 1;
DELETE FROM titles;
WITH named AS (UPDATE milestones SET title = 'Anew' RETURNING id, title)
    INSERT INTO titles (subject_id, words, title_hash, edition) SELECT id, '', hashtextextended(title, 0), 1 FROM named;
"""
"""By a process from before 1.0.0, beside the tables in the middle: it knows nothing of whose the rows are."""

PLACED: Final = {
    "texts": "stream_id",
    "log_pending": "stream_id",
    "provider_calls": "contract_id",
    "titles": "contract_id",
}
UNPLACED: Final = " UNION ALL ".join(
    f"SELECT '{name}' FROM {name} WHERE {column} IS NULL" for name, column in PLACED.items()
)
KEPT_BY_A_FORMER_ONE: Final = """
INSERT INTO provider_movements (id, kind, at, amount_minor, fee_minor, net_minor, currency)
    VALUES ('txn_1', 'WITHDRAWAL', now(), 5, 0, 5, 'USD')
"""
"""By a process of 1.0.0: it knows nothing of whose movement it is."""
LEFT_WITHOUT: Final = """
INSERT INTO titles (subject_id, words, title_hash, edition) SELECT id, '', hashtextextended(title, 0), 1 FROM contracts
"""
OF_A_FORMER_ONE: Final = """
SELECT tgname FROM pg_trigger WHERE tgname LIKE '%know%'
UNION ALL SELECT proname FROM pg_proc WHERE proname IN ('know_the_stream', 'know_the_contract', 'title_search')
UNION ALL SELECT relname FROM pg_class WHERE relname IN ('deposits_order_is_its_own', 'submissions_are_numbered',
    'refund_requests_one_holds_a_milestone', 'disputes_one_holds_a_milestone', 'log_pending_once')
UNION ALL SELECT column_default FROM information_schema.columns WHERE table_name IN ('provider_calls', 'provider_movements')
    AND column_name = 'provider' AND column_default IS NOT NULL
"""
AFTER: Final = [step for step in MISSING if step.startswith("escrow.m0033_")]


async def test_what_a_former_process_writes_is_placed_until_what_was_there_for_it_alone_is_taken_away(
    left: str,
) -> None:
    await as_it_was_left(left, json.loads(SNAPSHOT.read_text()), ago="1 minute")
    assert await migrate.migrate(left, Extent.BEFORE) == [step for step in MISSING if step not in AFTER]
    connection = await asyncpg.connect(left)
    assert len(await connection.fetch(OF_A_FORMER_ONE)) == 13
    await connection.execute(WRITTEN_BY_A_FORMER_ONE)
    assert await connection.fetch(UNPLACED) == []
    assert {row["edition"] for row in await connection.fetch("SELECT edition FROM titles")} == {1}, "its own words"
    await connection.execute(KEPT_BY_A_FORMER_ONE)
    assert await connection.fetchval("SELECT provider FROM provider_movements") == "sandbox"
    await connection.execute(LEFT_WITHOUT)
    assert len(await connection.fetch(UNPLACED)) == await connection.fetchval("SELECT count(*) FROM contracts") > 0
    assert await migrate.migrate(left, Extent.AFTER) == AFTER
    assert await connection.fetch(UNPLACED) == []
    assert [list(row) for row in await connection.fetch(OF_A_FORMER_ONE)] == []
    for statement in (*WRITTEN_BY_A_FORMER_ONE.split(";\n")[:4], LEFT_WITHOUT):
        if "INSERT" in statement:
            with pytest.raises(asyncpg.NotNullViolationError):
                await connection.execute(statement)
    await connection.close()


WAITED_FOR: Final = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = $1::text::regclass)"


async def test_what_is_taken_away_keeps_no_command_from_its_end_that_it_waits_for(
    left: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "LOCK_MS", 600_000)
    await as_it_was_left(left, json.loads(SNAPSHOT.read_text()), ago="1 minute")
    await migrate.migrate(left, Extent.BEFORE)
    command, looking = await asyncpg.connect(left), await asyncpg.connect(left)
    for table in ("deposits", "submissions", "refund_requests", "disputes"):
        async with command.transaction():
            await command.execute(f"LOCK TABLE {table} IN ROW EXCLUSIVE MODE")
            taking = asyncio.create_task(migrate.migrate(left, Extent.AFTER))
            while not await looking.fetchval(WAITED_FOR, table):  # noqa: ASYNC110 - nothing rings for a lock
                await asyncio.sleep(0.01)
            try:
                for of_the_log in ("log_pending", "texts", "titles"):
                    await command.execute(f"LOCK TABLE {of_the_log} IN ROW EXCLUSIVE MODE NOWAIT")
            finally:
                taking.cancel()
                await asyncio.gather(taking, return_exceptions=True)
    await asyncio.gather(command.close(), looking.close())


async def migrated(url: str, *statements: str) -> list[tuple[str, str | None]]:
    """The steps of the calls that these statements leave to the newest step, each with the provider that is noted for it."""
    connection = await asyncpg.connect(url)
    for step in STEPS[: STEPS.index(PROVIDERS)]:
        app, _, name = step.partition(".")
        for operation in importlib.import_module(f"{app}.migrations.{name}").Migration.operations:
            await connection.execute(operation.sql)
    await connection.execute("SET session_replication_role = replica")
    for statement in statements:
        await connection.execute(statement)
    for operation in importlib.import_module("escrow.migrations." + PROVIDERS.partition(".")[2]).Migration.operations:
        await connection.execute(operation.sql)
    await connection.execute("INSERT INTO provider_calls (order_id, step, attempt) VALUES ('late', 'PREPARE', 1)")
    rows = await connection.fetch("SELECT order_id, provider FROM provider_calls ORDER BY order_id, step DESC")
    await connection.close()
    return [(row["order_id"], row["provider"]) for row in rows]


PROVIDERS: Final = "escrow.m0021_providers"

LOST: Final = "INSERT INTO provider_calls (order_id, step, attempt) VALUES ('lost', 'REFUND', 1)"
AT_STRIPE: Final = """
    INSERT INTO provider_calls (order_id, step, attempt, provider_id)
    VALUES ('paid', 'TRANSFER', 1, 'tr_1Ab'), ('paid', 'PAYOUT', 1, NULL)
"""
IN_THE_SANDBOX: Final = """
    INSERT INTO sandbox_charges
        (id, key, order_id, group_id, kind, amount_minor, currency, outcome, notices, received, created_at, calls)
    VALUES ('played/1', 'played/1', 'played', '', 'REFUND', 1, 'USD', 'SUCCEEDS', '{}', true, now(), 1);
    INSERT INTO provider_calls (order_id, step, attempt, provider_id) VALUES ('played', 'REFUND', 1, 'played/1')
"""


@pytest.mark.parametrize(
    ("statements", "known"),
    [
        ([LOST], [("late", None), ("lost", None)]),
        ([AT_STRIPE, LOST], [("late", "stripe"), ("lost", "stripe"), ("paid", "stripe"), ("paid", "stripe")]),
        ([IN_THE_SANDBOX, LOST], [("late", "sandbox"), ("lost", "sandbox"), ("played", "sandbox")]),
        (
            [IN_THE_SANDBOX, AT_STRIPE, LOST],
            [("late", None), ("lost", None), ("paid", "stripe"), ("paid", "stripe"), ("played", "sandbox")],
        ),
    ],
    ids=["nobody knows", "Stripe's", "the sandbox's", "of either"],
)
async def test_calls_of_before_are_their_providers_where_that_is_known(
    left: str, statements: list[str], known: list[tuple[str, str | None]]
) -> None:
    """So are those of a worker of the release before that still runs; of the others a person finds out."""
    assert await migrated(left, *statements) == known
