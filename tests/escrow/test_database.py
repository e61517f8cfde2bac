"""The door to PostgreSQL: nothing leaks when tasks are cancelled, transactions hold, statements are counted."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from tortoise.connection import get_connection
from tortoise.context import TortoiseContext

from escrow import database, migrate
from escrow.lending import lent
from escrow.models import Deployment
from escrow.statements import FAILURES
from tests import plans
from tests.engines import TestServer
from tests.patience import PATIENCE_SECONDS
from tests.workers.process import until

POOL_SIZE = 4
CANCELLED_AT_LEAST = 400


@pytest_asyncio.fixture(loop_scope="session")
async def small_pool(database_clone: str) -> AsyncIterator[str]:
    """A database of the test's own behind a pool of `POOL_SIZE`; gives its URL."""
    async with TortoiseContext() as context:
        await context.init(config=database.configuration(database_clone, pool_size=POOL_SIZE))
        await database.execute("CREATE TABLE notes (text TEXT PRIMARY KEY)")
        yield database_clone


async def notes() -> set[str]:
    return {row["text"] for row in await database.fetch("SELECT text FROM notes")}


async def in_use() -> int:
    """Connections that nobody gives back, though what was cut off is tidied up behind the scenes."""
    with contextlib.suppress(AssertionError):
        await until(_none_in_use)
    return database.pool_use()[0]


async def _none_in_use() -> bool:
    return database.pool_use()[0] == 0


async def _in_transaction(name: str) -> None:
    async with database.transaction() as connection:
        await connection.execute("INSERT INTO notes VALUES ($1)", name)
        await database.fetch("SELECT pg_sleep(0.001)")
        await connection.execute("INSERT INTO notes VALUES ($1)", f"{name} too")


async def _alone(name: str) -> None:
    await database.execute("INSERT INTO notes VALUES ($1), ($2)", name, f"{name} too")
    await database.fetch("SELECT pg_sleep(0.001)")


async def test_no_connection_leaks_whenever_tasks_are_cancelled(small_pool: str) -> None:
    chance = random.Random(7)
    cancelled = round_ = 0
    while cancelled < CANCELLED_AT_LEAST:
        round_ += 1
        kinds = [_in_transaction, _alone]
        tasks = [asyncio.create_task(kinds[n % 2](f"{round_}.{n}")) for n in range(16)]
        for task in tasks:
            await asyncio.sleep(chance.random() * 0.001)
            task.cancel()
            if chance.random() < 0.3:
                await asyncio.sleep(0)
                task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        cancelled += sum(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
        assert {type(outcome) for outcome in outcomes} <= {type(None), asyncio.CancelledError}
    assert await in_use() == 0
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(*(_in_transaction(f"after {n}") for n in range(POOL_SIZE * 2)))
    halves = await notes()
    assert {name for name in halves if not name.endswith(" too") and f"{name} too" not in halves} == set()


async def test_transaction_rolls_back_on_any_exception(small_pool: str) -> None:
    async def fail() -> None:
        async with database.transaction():
            await database.execute("INSERT INTO notes VALUES ('lost')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await notes() == set()
    assert await in_use() == 0


async def test_everything_in_a_transaction_uses_its_connection(small_pool: str) -> None:
    async with database.transaction() as connection:
        own = await connection.fetchval("SELECT pg_backend_pid()")
        await database.execute("INSERT INTO notes VALUES ('seen')")
        pids = await asyncio.gather(*(database.fetch_value("SELECT pg_backend_pid()") for _ in range(POOL_SIZE * 2)))
        assert set(pids) == {own}
        assert len(await Deployment.all()) == 1
        assert database.pool_use()[0] == 1
    assert await notes() == {"seen"}


async def test_what_gets_no_connection_is_counted_among_what_failed(small_pool: str, server: TestServer) -> None:
    await database.fetch("SELECT 1")
    name = await database.fetch_value("SELECT current_database()")
    elsewhere = await asyncpg.connect(server.url("postgres"))
    try:
        await elsewhere.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await elsewhere.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        known = failures()
        for _ in range(3):
            with pytest.raises(_AWAY):
                await database.fetch("SELECT 1")
            with pytest.raises(_AWAY):
                async with database.transaction():
                    pass
        assert failures() == known + 6
    finally:
        await elsewhere.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await elsewhere.close()


_AWAY = (*database.AWAY, asyncpg.ObjectNotInPrerequisiteStateError)


def failures() -> float:
    """How many statements of this process are counted as failed."""
    return FAILURES.figure().values[0].value


async def test_transaction_inside_another_is_refused(small_pool: str) -> None:
    async with database.transaction():
        with pytest.raises(RuntimeError, match="inside a transaction"):
            async with database.transaction():
                pass
    assert await in_use() == 0


async def test_snapshot_sees_one_moment_and_writes_nothing(small_pool: str) -> None:
    async with database.transaction(snapshot=True):
        assert await notes() == set()
        other = await asyncpg.connect(small_pool)
        await other.execute("INSERT INTO notes VALUES ('later')")
        await other.close()
        assert await notes() == set()
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await database.execute("INSERT INTO notes VALUES ('never')")
    assert await notes() == {"later"}


async def test_a_transaction_begins_with_its_lock_or_its_snapshot_in_one_round_trip(small_pool: str) -> None:
    with database.counting() as statements:
        async with database.transaction(lock=7):
            pass
        async with database.transaction(snapshot=True):
            pass
    assert [statement.split()[0] for statement in statements] == ["BEGIN;", "COMMIT;", "BEGIN", "COMMIT;"]


async def test_a_lock_is_held_by_one_transaction_which_sees_what_the_one_before_it_wrote(small_pool: str) -> None:
    async with database.alone(7):
        behind = asyncio.create_task(_count_under_lock())
        await until(_is_waited_for)
        await database.execute("INSERT INTO notes VALUES ('before')")
    assert await behind == 1


async def test_who_stops_waiting_for_a_lock_ends_at_once_and_gives_its_connection_back(small_pool: str) -> None:
    async with database.alone(7):
        behind = asyncio.create_task(_count_under_lock())
        await until(_is_waited_for)
        behind.cancel()
        await asyncio.wait({behind}, timeout=PATIENCE_SECONDS)
        assert behind.cancelled()
        assert not await _is_waited_for()
    assert await in_use() == 0
    assert await _count_under_lock() == 0


async def _count_under_lock() -> int:
    async with database.transaction(lock=7):
        return len(await notes())


async def _is_waited_for() -> bool:
    return bool(
        await database.fetch_value("SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)")
    )


async def _end_all_connections(url: str) -> None:
    other = await asyncpg.connect(url)
    await other.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await other.close()


async def test_pool_recovers_when_the_server_closes_its_connections(small_pool: str) -> None:
    await asyncio.gather(*(database.fetch("SELECT pg_sleep(0.01)") for _ in range(POOL_SIZE)))
    other = await asyncpg.connect(small_pool)
    under_way = asyncio.create_task(_under_way())

    async def sleeps() -> bool:
        return bool(await other.fetchval(_SLEEPS))

    await until(sleeps)
    await other.close()
    await _end_all_connections(small_pool)
    with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.AdminShutdownError)):
        await under_way
    # A connection may be picked up before its end was noticed: whoever does so fails, and it is gone.
    await asyncio.gather(*(database.fetch("SELECT 1") for _ in range(POOL_SIZE)), return_exceptions=True)
    await asyncio.gather(*(_alone(str(n)) for n in range(POOL_SIZE * 2)))
    assert len(await notes()) == POOL_SIZE * 4
    assert await in_use() == 0


@pytest.mark.parametrize("block", [database.transaction, partial(database.alone, 7), migrate._alone])
async def test_what_ends_a_block_is_told_though_its_connection_has_gone(
    small_pool: str, block: Callable[[], AbstractAsyncContextManager[Any]]
) -> None:
    """Whoever stops a task relies on it: one that hears of PostgreSQL instead begins anew."""
    for is_cancelled, told in ((True, asyncio.CancelledError), (False, ZeroDivisionError)):
        began, ends = asyncio.Event(), asyncio.Event()

        async def within(began: asyncio.Event = began, ends: asyncio.Event = ends) -> None:
            async with block():
                began.set()
                await ends.wait()
                raise ZeroDivisionError

        task = asyncio.create_task(within())
        await began.wait()
        assert database.pool_use()[0] == 1
        await _end_all_connections(small_pool)
        assert await in_use() == 0, "that its connection has gone is known"
        if is_cancelled:
            task.cancel()
        ends.set()
        with pytest.raises(told):
            await task


_SLEEPS = """
SELECT EXISTS (SELECT FROM pg_stat_activity
    WHERE datname = current_database() AND state = 'active' AND query = 'SELECT pg_sleep(600)')
"""


async def _under_way() -> None:
    async with database.transaction():
        await database.fetch("SELECT pg_sleep(600)")


async def test_counting_sees_all_statements_of_a_task_and_its_children_only(small_pool: str) -> None:
    begin, stranger = asyncio.Event(), asyncio.Event()

    async def other() -> None:
        await begin.wait()
        await database.fetch("SELECT 'not mine'")
        stranger.set()

    unrelated = asyncio.create_task(other())
    with database.counting() as statements:
        begin.set()
        await database.fetch("SELECT 1")
        await asyncio.create_task(database.execute("SELECT 2"))
        await Deployment.all()
        with database.counting() as inner:
            async with database.transaction():
                await database.fetch_value("SELECT 3")
        await stranger.wait()
    await unrelated
    assert inner == ["BEGIN;", "SELECT 3", "COMMIT;"]
    assert [statement.split()[0] for statement in statements] == [
        "SELECT",
        "SELECT",
        "SELECT",
        "BEGIN;",
        "SELECT",
        "COMMIT;",
    ]
    assert not any("not mine" in statement for statement in statements)


async def test_parameters_of_a_statement_are_found_by_their_names_in_any_order(small_pool: str) -> None:
    statement = database.Statement("SELECT :word::text || :number::int || :word AS said")
    row = await database.fetch_row(*statement.bind(number=2, word="a"))
    assert row is not None
    assert row["said"] == "a2a"


@pytest.mark.parametrize("given", [{}, {"word": "a", "other": 1}], ids=["too few", "too many"])
def test_a_statement_takes_all_of_its_parameters_and_no_others(given: dict[str, object]) -> None:
    with pytest.raises(TypeError, match="not the parameters"):
        database.Statement("SELECT :word::text").bind(**given)


async def test_rows_are_given_by_the_names_of_their_columns_also_if_there_are_none(small_pool: str) -> None:
    given = database.Rows("note", "id text, size int")
    statement = database.Statement(f"SELECT note.size, note.id FROM {given.sql}")
    rows: list[dict[str, object]] = [{"size": 1, "id": "a"}, {"id": None, "size": 2}]
    found = await database.fetch(*statement.bind(**given.bind(rows)))
    assert [tuple(row) for row in found] == [(1, "a"), (2, None)]
    assert await database.fetch(*statement.bind(**given.bind([]))) == []


async def test_a_statement_that_is_not_to_see_its_values_keeps_its_plan(small_pool: str) -> None:
    await database.execute("INSERT INTO notes SELECT 'note ' || n FROM generate_series(1, 1000) AS n; ANALYZE notes")
    asked = "SELECT text FROM notes WHERE text = ANY ({})"
    assert await plans.planned(asked.format("$1::text[]"), *10 * [(["note 7"],)]) == (10, 0)
    assert await plans.planned(asked.format(database.unseen("$1::text[]")), *10 * [(["note 7"],)]) == (5, 5)
    found = await database.fetch(asked.format(database.unseen("$1::text[]")), ["note 7", "note 9", "none"])
    assert {row["text"] for row in found} == {"note 7", "note 9"}


async def test_a_statement_that_is_given_rows_keeps_its_plan(small_pool: str) -> None:
    await database.execute("INSERT INTO notes SELECT 'note ' || n FROM generate_series(1, 1000) AS n; ANALYZE notes")
    given = database.Rows("given", "text text")
    asked = database.Statement(f"SELECT notes.text FROM {given.sql} JOIN notes ON notes.text = given.text")
    sql, *arguments = asked.bind(**given.bind([{"text": "note 7"}]))
    assert await plans.planned(sql, *10 * [arguments]) == (5, 5)


@pytest.mark.parametrize("identifiers", [[], ["ctr_1"], ["ctr_1", "mil_2", "ctr_1"], [f"ctr_{n}" for n in range(200)]])
async def test_a_list_of_identifiers_is_one_parameter(small_pool: str, identifiers: list[str]) -> None:
    given = database.as_list(identifiers)
    assert await database.fetch_value(f"SELECT {database.listed('$1')}", given) == identifiers


async def test_giving_a_connection_back_takes_no_round_trip(small_pool: str) -> None:
    with database.counting() as statements:
        for _ in range(3):
            await database.fetch("SELECT 1")
    assert statements == ["SELECT 1"] * 3


async def test_a_connection_that_rests_is_lent_as_it_is(small_pool: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await database.fetch_value("SELECT pg_backend_pid()")
    asked: list[object] = []
    monkeypatch.setattr("asyncpg.pool.Pool._acquire", lambda pool, _: asked.append(pool))
    assert await database.fetch_value("SELECT pg_backend_pid()") == first
    with pytest.raises(asyncpg.UndefinedTableError):  # goes back the pool's way, and is there again
        await database.fetch("SELECT * FROM nowhere")
    assert await database.fetch_value("SELECT pg_backend_pid()") == first
    assert (asked, await in_use()) == ([], 0)


async def test_a_connection_that_is_to_be_closed_is_lent_no_more(small_pool: str) -> None:
    pool = get_connection("default")._pool
    first = await database.fetch_value("SELECT pg_backend_pid()")
    await pool.expire_connections()
    assert await database.fetch_value("SELECT pg_backend_pid()") != first
    await lent(pool, "close")
    assert await notes() == set()
    assert await in_use() == 0


async def test_a_transaction_that_a_statement_left_open_ends_with_the_loan(small_pool: str) -> None:
    await database.execute("BEGIN; INSERT INTO notes VALUES ('left behind')")
    in_transactions = await database.fetch(
        "SELECT FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
    )
    assert in_transactions == []
    assert await notes() == set()
    assert await in_use() == 0


@pytest.mark.parametrize("ask", [database.fetch, database.fetch_row])
async def test_what_was_prepared_before_its_table_changed_is_prepared_anew(
    small_pool: str, ask: Callable[[str], Awaitable[Any]]
) -> None:
    await database.execute("INSERT INTO notes VALUES ('kept')")
    for columns in (["text"], ["text", "more_1"], ["text", "more_1", "more_2"]):
        for _ in range(2):
            found = await ask("SELECT * FROM notes")
            row = found[0] if isinstance(found, list) else found
            assert list(row.keys()) == columns
        await database.execute(f"ALTER TABLE notes ADD COLUMN more_{len(columns)} INT")
    with pytest.raises(asyncpg.InvalidCachedStatementError):
        async with database.transaction():  # which is lost
            await ask("SELECT * FROM notes")
    assert len(await database.fetch("SELECT * FROM notes")) == 1


async def test_what_was_carried_out_and_cant_be_read_is_not_carried_out_again(small_pool: str) -> None:
    await database.execute("CREATE TABLE pairs (one INT, other INT)")
    await database.execute("INSERT INTO pairs VALUES (1, 2)")
    noting = "WITH noted AS (INSERT INTO notes VALUES ($1)) SELECT found FROM pairs AS found"
    assert [tuple(row["found"]) for row in await database.fetch(noting, "first")] == [(1, 2)]
    await database.execute("ALTER TABLE pairs ADD COLUMN third INT")
    with pytest.raises(asyncpg.OutdatedSchemaCacheError):
        await database.fetch(noting, "second")
    assert await notes() == {"first", "second"}
    assert [tuple(row["found"]) for row in await database.fetch(noting, "third")] == [(1, 2, None)]


async def test_a_statement_that_is_prepared_is_refused_as_any_other(small_pool: str) -> None:
    """What asks for it twice at a time, or when the connection has gone, is told so, and gets nobody else's answer."""
    async with database.transaction() as connection:
        slow = "SELECT pg_sleep(0.1), 'slow' AS said"
        await connection.fetch(slow)
        first, *others = await asyncio.gather(*(connection.fetch(slow) for _ in range(3)), return_exceptions=True)
        assert [type(one) for one in others] == [asyncpg.InterfaceError] * 2
        assert isinstance(first, list)
        assert first[0]["said"] == "slow"
    gone = await database.connection_to(small_pool)
    await gone.fetch("SELECT 1")
    await gone.close()
    with pytest.raises(asyncpg.InterfaceError):
        await gone.fetch("SELECT 1")


async def test_work_that_must_end_ends_although_the_caller_is_gone(small_pool: str) -> None:
    began, may_end = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        began.set()
        await may_end.wait()
        await database.execute("INSERT INTO notes VALUES ('done')")

    task = asyncio.create_task(database.uncancelled(work()))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await notes() == set()
    may_end.set()
    await asyncio.wait(database._kept)
    assert await notes() == {"done"}


PROCESS = f"""
import asyncio, sys
from escrow import database
from escrow.models import Deployment
from escrow.statements import FAILURES

database.LAST_WORK_SECONDS = {PATIENCE_SECONDS}

async def work():
    await asyncio.sleep(0.05)
    print(await database.fetch_value("SELECT 'work that must end ended'"))

async def main():
    for _ in range(2):
        await database.connect(sys.argv[1], pool_size=2)
        try:
            await database.connect(sys.argv[1])
        except RuntimeError as error:
            print(error)
        print(await asyncio.create_task(database.fetch_value("SELECT 7")), len(await Deployment.all()), database.pool_use())
        gone = asyncio.create_task(database.uncancelled(work()))
        await asyncio.sleep(0)
        gone.cancel()
        await database.disconnect()
        await database.disconnect()

asyncio.run(main())
"""


async def test_a_process_connects_once_at_a_time_and_ends_what_it_began(database_clone: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROCESS, database_clone, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    said = ["already connected to a database; disconnect() first", "7 1 (0, 2)", "work that must end ended"]
    assert out.decode().splitlines() == said * 2


async def test_no_plan_makes_room_for_what_a_page_will_never_read(small_pool: str) -> None:
    """A cache for the other side of a join is as large as the planner's guess of all rows, and takes as long to be made."""
    await database.execute("CREATE TABLE owners (id TEXT PRIMARY KEY, name TEXT NOT NULL)")
    await database.execute("CREATE TABLE things (number INT PRIMARY KEY, owner_id TEXT NOT NULL)")
    await database.execute("INSERT INTO owners SELECT n::text, 'x' FROM generate_series(1, 100) AS n")
    await database.execute("INSERT INTO things SELECT n, (n % 100)::text FROM generate_series(1, 20000) AS n")
    await database.execute("ANALYZE owners, things")
    page = """EXPLAIN SELECT * FROM things CROSS JOIN LATERAL (
        SELECT name FROM owners WHERE id = things.owner_id OFFSET 0) AS owner ORDER BY number LIMIT 50"""
    assert "Memoize" not in "\n".join(row[0] for row in await database.fetch(page))
    async with database.transaction() as connection:
        await connection.execute("SET LOCAL enable_memoize = on")
        assert "Memoize" in "\n".join(row[0] for row in await connection.fetch(page)), "it would, left alone"
