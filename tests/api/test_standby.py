"""Lists and the feed are read from a real streaming standby, by whoever finds there what they wrote; everything else never is."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
from redis.asyncio import Redis

import escrow.database
from earnest.commands import audit as audit_command
from earnest.doctor import standby_server
from earnest.doctor.findings import Grade
from earnest.engines import Engines
from escrow import bookmarks, log, replica
from escrow.access import Scope
from escrow.database import counting, execute
from escrow.replica import Read, Replica
from tests.api.client import Caller, People
from tests.api.rates.test_rates import limited
from tests.benchmarks.processes import serving, web_environment
from tests.earnest.doctor.test_addresses import settings
from tests.earnest.test_audit_and_erase import earnest
from tests.patience import PATIENCE_SECONDS
from tests.replicas import Standby, caught_up, locking, remember, standby_of
from tests.workers.process import ROOT

LIST = "{ contracts(first: 50) { nodes { id title milestones { title } } } }"
FEED = "query ($after: Cursor) { changes(after: $after, first: 100) { nodes { event { id type } } cursor hasMore } }"

MUCH_IS_WRITTEN = "SELECT pg_logical_emit_message(false, 'test', repeat('x', 1000000), true);"
"""A megabyte in the write-ahead log, flushed: far more than becoming a primary takes."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def standby(engines: Engines, shared_database: object) -> AsyncIterator[Standby]:
    """One standby for all tests of this file; each leaves it running and replaying."""
    async with standby_of(engines.database_url) as standby:
        yield standby


@pytest_asyncio.fixture(loop_scope="session")
async def read(
    people: People, database: str, standby: Standby, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Replica]:
    """This process as one that has the standby, which has all that there is; nothing is late because the machine is busy."""
    for waits in (
        "escrow.bookmarks.ANSWER_SECONDS",
        "escrow.bookmarks.MARK_SECONDS",
        "escrow.replica.ANSWER_SECONDS",
        "escrow.replica.STATEMENT_SECONDS",
        "escrow.replica.LIST_SECONDS",
        "escrow.replica.BEHIND_SECONDS_MAX",
    ):
        monkeypatch.setattr(waits, PATIENCE_SECONDS)
    monkeypatch.setattr("escrow.bookmarks.KEPT_SECONDS", 3600.0)
    await bookmarks.connect(redis_url)
    await remember(redis_url)
    found = await replica.connect(standby.url(database), primary_url=database)
    try:
        await caught_up(found)
        yield found
    finally:
        await replica.disconnect()
        await bookmarks.disconnect()


async def titles(caller: Caller) -> list[str]:
    """What the list of contracts shows."""
    return [one["title"] for one in (await caller.ask(LIST))["contracts"]["nodes"]]


async def propose(people: People, title: str) -> str:
    """A new contract of that title, proposed by the client over HTTP; gives its id."""
    given: dict[str, Any] = {
        "clientId": people.client.account_id,
        "freelancerId": people.freelancer.account_id,
        "title": title,
        "currency": "USD",
        "milestones": [
            {
                "title": "Wireframe",
                "purpose": "So that everybody sees where it goes",
                "amount": {"amount": "250.00", "currency": "USD"},
                "dueOn": "2100-01-01",
            }
        ],
    }
    made = await people.client.done("proposeContract", given, "contract { id }")
    found: str = made["contract"]["id"]
    return found


async def test_lists_are_read_from_the_standby_and_commands_and_single_things_never(
    people: People, read: Replica, standby: Standby
) -> None:
    contract_id = await propose(people, "A shop")
    await caught_up(read)
    before = standby.asked("contracts")
    with counting() as all_of_them:
        assert await titles(people.freelancer) == ["A shop"]
    there = standby.asked("contracts") - before
    assert there == sum("contracts" in sql for sql in all_of_them) > 0
    assert read.reads[Read.STANDBY] == 1

    answered = standby.asked("contracts"), standby.asked("events"), standby.asked("accounts")
    alone = await people.freelancer.ask("query ($id: ID!) { contract(id: $id) { title } }", {"id": contract_id})
    assert alone["contract"] == {"title": "A shop"}
    mixed = "query ($id: ID!) { contract(id: $id) { title } contracts(first: 1) { nodes { id } } }"
    await people.freelancer.ask(mixed, {"id": contract_id})
    may = "{ contracts(first: 1) { nodes { ...May } } } fragment May on Contract { may: allowedActions { action allowed } }"
    await people.freelancer.ask(may)
    await people.freelancer.done("acceptContract", {"contractId": contract_id, "revision": 1}, "contract { state }")
    assert (standby.asked("contracts"), standby.asked("events"), standby.asked("accounts")) == answered


async def test_whoever_wrote_finds_it_and_so_does_the_other_party_while_the_standby_stands_still(
    people: People, read: Replica, standby: Standby
) -> None:
    stranger = await people.stranger()
    await propose(people, "Seen by all")
    while await log.sequence():
        pass
    await caught_up(read)
    async with standby.paused():
        assert await titles(people.client) == ["Seen by all"]
        assert read.reads == {Read.STANDBY: 1}
        cursor = (await people.freelancer.ask(FEED))["changes"]["cursor"]
        assert read.reads == {Read.STANDBY: 2}

        await propose(people, "Just written")
        assert sorted(await titles(people.client)) == ["Just written", "Seen by all"]
        assert read.reads == {Read.STANDBY: 2, Read.WROTE: 1}
        # For others, who can't know of it before the log tells, lists are as old as the standby.
        assert await titles(people.freelancer) == await titles(people.operator) == ["Seen by all"]
        assert await titles(stranger) == []
        assert read.reads[Read.STANDBY] == 5

        while await log.sequence():
            pass
        assert sorted(await titles(people.freelancer)) == ["Just written", "Seen by all"]
        for caller in (people.client, people.freelancer, people.operator):
            page = (await caller.ask(FEED, {"after": cursor}))["changes"]
            assert "contract.proposed" in {node["event"]["type"] for node in page["nodes"]}, page
        assert read.reads == {Read.STANDBY: 5, Read.WROTE: 5}
        # A cursor that the standby has not reached is no fault of whoever got it from the primary.
        newest = (await people.client.ask(FEED, {"after": cursor}))["changes"]["cursor"]
        assert (await stranger.ask(FEED, {"after": newest}))["changes"]["nodes"] == []
        assert read.reads[Read.FAILED] == 1
    await caught_up(read)
    read.reads.clear()
    assert sorted(await titles(people.client)) == ["Just written", "Seen by all"]
    assert read.reads == {Read.STANDBY: 1}


async def test_whoever_goes_away_in_the_middle_of_a_write_finds_it_all_the_same(
    people: People, read: Replica, standby: Standby, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bookmarks, "MUTE_SECONDS", PATIENCE_SECONDS)  # what is owed stays so while the test lasts
    contract_id = await propose(people, "Accepted by somebody who went away")
    await caught_up(read)
    holder = await asyncpg.connect(database)
    async with holder.transaction():
        await holder.execute("SELECT FROM contracts WHERE id = $1 FOR UPDATE", contract_id)
        given = {"contractId": contract_id, "revision": 1}
        accepting = asyncio.create_task(people.freelancer.done("acceptContract", given, "contract { state }"))
        while not await holder.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):
            assert not accepting.done(), await accepting
        async with standby.paused():
            assert await titles(people.freelancer) == ["Accepted by somebody who went away"]
            assert read.reads == {Read.STANDBY: 1}
            accepting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await accepting
            assert await titles(people.freelancer) == ["Accepted by somebody who went away"]
            assert read.reads == {Read.STANDBY: 1, Read.WROTE: 1}
    await holder.close()


async def test_a_killed_standby_is_told_and_missed_by_nobody(people: People, read: Replica, standby: Standby) -> None:
    await propose(people, "A shop")
    await caught_up(read)
    ready = (await people.nobody.http.get("/readyz")).json()["checks"]
    assert ready["standby"] == "read", ready
    assert ready["standbyBehindSeconds"] >= 0, ready
    assert await titles(people.client) == ["A shop"]
    asking = [asyncio.create_task(titles(people.client)) for _ in range(20)]
    await standby.kill()
    assert await asyncio.gather(*asking) == [["A shop"]] * 20
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (answer := await people.nobody.http.get("/readyz")).json()["checks"]["standby"] != "away":  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert answer.status_code == 200
    try:
        read.reads.clear()
        assert await titles(people.client) == ["A shop"]
        assert read.reads == {Read.AWAY: 1}
        page = (await people.nobody.http.get("/metrics")).text
        assert "earnest_standby_read 0.0" in page
        assert 'earnest_list_reads_total{by="primary_away"} 1.0' in page
    finally:
        await standby.start()
    await caught_up(read)
    assert await titles(people.client) == ["A shop"]
    assert read.reads[Read.STANDBY] == 1
    assert "earnest_standby_read 1.0" in (await people.nobody.http.get("/metrics")).text


async def test_a_lock_that_a_paused_standby_has_replayed_holds_up_nobody(
    people: People, database: str, read: Replica, standby: Standby, monkeypatch: pytest.MonkeyPatch
) -> None:
    await propose(people, "A shop")
    await caught_up(read)
    monkeypatch.setattr(replica, "STATEMENT_SECONDS", 0.3)
    changing = await asyncpg.connect(database)
    try:
        await changing.execute("BEGIN; LOCK TABLE contracts IN ACCESS EXCLUSIVE MODE")
        await caught_up(read)
        async with standby.paused():
            await changing.execute("ROLLBACK")
            await execute(MUCH_IS_WRITTEN)
            assert await titles(people.client) == ["A shop"]
            assert read.reads == {Read.FAILED: 1}
            assert await titles(people.client) == ["A shop"]  # and the next list doesn't try
            assert (read.reads[Read.FAILED], read.reads[Read.STANDBY]) == (1, 0)
    finally:
        await changing.close()


async def test_what_fails_there_is_paid_for_once(
    people: People, database: str, read: Replica, standby: Standby, monkeypatch: pytest.MonkeyPatch
) -> None:
    await people.deployment.propose(*["1.00"] * 30)
    await caught_up(read)
    query = "{ contracts { nodes { milestones { id submissions(first: 1) { nodes { id } } } } } }"
    async with limited() as http:
        asking = Caller(http, people.client.token)

        async def price() -> int:
            answer = (await asking.post(query)).json()
            assert len(answer["data"]["contracts"]["nodes"][0]["milestones"]) == 30
            return int(answer["extensions"]["cost"]["requested"])

        await price()  # the document is known now
        paid = [await price()]
        monkeypatch.setattr(replica, "STATEMENT_SECONDS", 0.3)
        read._let_go()  # its pool has the patience of before
        await caught_up(read)
        changing = await asyncpg.connect(database)
        try:
            await changing.execute("BEGIN; LOCK TABLE submissions IN ACCESS EXCLUSIVE MODE")
            await caught_up(read)
            async with standby.paused():
                await changing.execute("ROLLBACK")
                await execute(MUCH_IS_WRITTEN)
                paid.append(await price())
        finally:
            await changing.close()
    assert read.reads[Read.FAILED] == 1
    assert paid[1] == paid[0]


def slow_there(monkeypatch: pytest.MonkeyPatch) -> list[type[Exception]]:
    """Have every statement at a standby take for ever; gives what they end with."""
    ended: list[type[Exception]] = []
    asked: Any = escrow.database._asked

    async def asked_slowly(how: str, sql: str, args: Sequence[object]) -> Any:
        if await asked("fetchval", "SELECT pg_is_in_recovery()", ()):
            try:
                await asked("fetch", "SELECT pg_sleep(3600) FROM contracts LIMIT 1", ())
            except asyncpg.PostgresError as error:
                ended.append(type(error))
                raise
        return await asked(how, sql, args)

    monkeypatch.setattr("escrow.database._asked", asked_slowly)
    return ended


async def test_what_the_standby_cancels_for_the_sake_of_its_replay_the_primary_answers(
    people: People, database: str, read: Replica, standby: Standby, monkeypatch: pytest.MonkeyPatch
) -> None:
    await propose(people, "A shop")
    await caught_up(read)
    with monkeypatch.context() as patched:
        ended = slow_there(patched)
        async with standby.impatient(), locking("contracts", database):
            assert await titles(people.client) == ["A shop"]
            feed = (await people.client.ask(FEED))["changes"]
            assert [one["event"]["type"] for one in feed["nodes"]] == [], "it has no place in the log yet"
    assert set(ended) == {asyncpg.SerializationError}
    assert read.reads[Read.FAILED] == 2
    await caught_up(read)
    read.reads.clear()
    assert await titles(people.client) == ["A shop"]
    assert read.reads == {Read.STANDBY: 1}, "what was in the way once is read there again"


async def test_an_audit_that_the_standby_cancels_says_so_and_what_helps(
    people: People, database: str, standby: Standby, redis_url: str, read: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    await propose(people, "A shop")
    await caught_up(read)
    environ = os.environ | web_environment(database, redis_url) | {"EARNEST_READ_URL": standby.url(database)}
    async with standby.impatient(), locking("contracts", database):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", ENDLESS_AUDIT, "audit"), cwd=ROOT, env=environ, stdout=PIPE, stderr=PIPE
        )
        said, complaints = (one.decode() for one in await process.communicate())
    assert (process.returncode, said) == (2, ""), complaints
    assert "cancelled the audit (canceling statement due to conflict with recovery)" in complaints
    assert "repeat with --primary" in complaints


ENDLESS_AUDIT = """
import sys
from earnest.cli import main
from escrow import audit, database

async def endless():
    await database.fetch("SELECT pg_sleep(3600) FROM contracts LIMIT 1")
    yield

audit.audit = endless
sys.exit(main(sys.argv[1:]))
"""


async def test_what_the_client_does_wrong_is_told_at_once_and_not_found_out_twice(
    people: People, read: Replica
) -> None:
    blind = await people.stranger(scopes=(Scope.MONEY_WRITE,))
    await caught_up(read)
    assert [one["extensions"]["code"] for one in await blind.errors(LIST)] == ["FORBIDDEN"]
    for wrong in ('{ changes(after: "cur_nothing") { cursor } }', "{ contracts(first: 0) { nodes { id } } }"):
        assert [one["extensions"]["code"] for one in await people.client.errors(wrong)] == ["BAD_REQUEST"]
    assert read.reads == {Read.STANDBY: 3}


async def test_a_standby_that_is_too_far_behind_or_whose_marks_were_lost_is_not_read(
    people: People, read: Replica, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica, "BEHIND_SECONDS_MAX", 0.0)
    assert await titles(people.client) == []
    assert read.reads == {Read.BEHIND: 1}
    assert (await people.nobody.http.get("/readyz")).json()["checks"]["standby"] == "behind"

    monkeypatch.setattr(replica, "BEHIND_SECONDS_MAX", PATIENCE_SECONDS)
    async with Redis.from_url(redis_url) as redis:
        await redis.flushall()
        read.reads.clear()
        for _ in range(2):
            assert await titles(people.client) == []
        assert read.reads == {Read.WROTE: 2}
        assert 0 < await redis.pttl("earnest:written:unsettled") <= 3_600_000
        await redis.delete("earnest:written:unsettled")
    assert await titles(people.client) == []
    assert read.reads == {Read.WROTE: 2, Read.STANDBY: 1}


async def test_what_is_dear_is_read_there_from_the_annex_too(
    people: People, database: str, read: Replica, standby: Standby
) -> None:
    await propose(people, "A shop")
    await caught_up(read)
    transport: Any = people.client.http._transport
    dear = "{ contracts(first: 100) { nodes { title milestones { title contract { title milestones { title } } } } } }"
    async with transport.app.state.door.with_annex(database):
        before = standby.asked("contracts")
        page = (await people.client.ask(dear))["contracts"]["nodes"]
        assert [one["title"] for one in page] == ["A shop"]
        await propose(people, "Another")
        await people.client.ask(dear)
    assert standby.asked("contracts") > before
    assert read.reads[Read.STANDBY] + read.reads[Read.WROTE] == 2
    assert len(read._pools) == 1
    assert asyncio.get_running_loop() not in read._pools


async def test_an_audit_reads_the_standby_and_says_so_when_there_is_none(
    people: People, database: str, standby: Standby, redis_url: str, read: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    await propose(people, "A shop")
    await caught_up(read)
    before = standby.asked("log_positions")
    monkeypatch.setenv("EARNEST_READ_URL", standby.url(database))
    code, said, complaints = await earnest(database, redis_url, "audit")
    assert (code, complaints) == (0, ""), said
    assert standby.asked("log_positions") > before
    monkeypatch.setenv("EARNEST_READ_URL", f"{database.partition('?')[0]}?host=/nowhere")
    code, said, complaints = await earnest(database, redis_url, "audit")
    assert (code, said) == (2, "")
    assert "EARNEST_READ_URL does not answer" in complaints
    assert "--primary" in complaints


async def test_an_audit_waits_for_a_standby_that_is_behind_and_refuses_one_that_stays_so(
    people: People, database: str, standby: Standby, redis_url: str, read: Replica
) -> None:
    await propose(people, "A shop")
    await caught_up(read)
    environ = os.environ | web_environment(database, redis_url) | {"EARNEST_READ_URL": standby.url(database)}
    found = Replica(standby.url(database), primary_url=database)
    async with standby.paused():
        await propose(people, "Not there yet")
        await execute(MUCH_IS_WRITTEN)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", IMPATIENT_AUDIT, "audit"), cwd=ROOT, env=environ, stdout=PIPE, stderr=PIPE
        )
        said, complaints = (one.decode() for one in await process.communicate())
        assert (process.returncode, said) == (2, ""), complaints
        assert "behind: repeat when it has caught up, or with --primary" in complaints
        waiting = asyncio.create_task(audit_command._must_catch_up(found))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while found.replayed is None:  # noqa: ASYNC110 - it has looked once by then
                await asyncio.sleep(0.01)
        assert not waiting.done()
    try:
        await waiting
        assert found.caught_up_at is not None
    finally:
        await found.close()


IMPATIENT_AUDIT = """
import sys
from earnest.cli import main
from escrow import replica

replica.BEHIND_SECONDS_MAX = 0.1
sys.exit(main(sys.argv[1:]))
"""


async def test_a_web_process_reads_the_standby_by_itself(
    people: People, database: str, standby: Standby, redis_url: str, tmp_path: Path
) -> None:
    await remember(redis_url)
    environ = web_environment(database, redis_url) | {"EARNEST_READ_URL": standby.url(database)}
    started = serving(sys.executable, "-m", "earnest", "web", environ=environ, log=tmp_path / "log")
    async with (
        started as (port, _),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_SECONDS) as http,
        asyncio.timeout(PATIENCE_SECONDS),
    ):
        client = replace(people.client, http=http)
        before = standby.asked("contracts")
        while standby.asked("contracts") == before:
            await titles(client)  # until the process has found the standby, and Redis has been quick enough
        await propose(replace(people, client=client), "Over there")
        assert await titles(client) == ["Over there"]
        checks = (await http.get("/readyz")).json()["checks"]
        assert checks["standby"] in ("read", "behind", "away"), checks
        assert 'earnest_list_reads_total{by="standby"}' in (await http.get("/metrics")).text


async def test_one_that_is_away_is_looked_for_seldom_since_the_primary_is_asked_each_time_too(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = f"{database.partition('?')[0]}?host=/nowhere"
    asked: list[str] = []
    looked = asyncio.Event()
    connection_to = escrow.database.connection_to

    async def noting(url: str) -> Any:
        asked.append(url)
        try:
            return await connection_to(url)
        finally:
            if url == away:
                looked.set()

    monkeypatch.setattr(escrow.database, "connection_to", noting)
    monkeypatch.setattr(replica, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(replica, "AWAY_LOOK_SECONDS", 3600.0)
    await replica.connect(away, primary_url=database)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await looked.wait()
        for _ in range(100):  # a look without a pause would take one of these
            await execute("SELECT 1")
        assert asked == [database, away]
    finally:
        await replica.disconnect()


async def test_each_reason_why_it_is_not_read_is_told_once(database: str, caplog: pytest.LogCaptureFixture) -> None:
    found = Replica(database, primary_url=database)
    for error in (OSError("refused"), OSError("refused"), replica.NoStandby("it follows nobody"), OSError("refused")):
        found.lost(error)
    told = [str(vars(one)["error"]) for one in caplog.records if one.message == "the standby is not read"]
    assert told == ["refused", "it follows nobody", "refused"]


async def test_the_doctor_says_how_it_stands(database: str, standby: Standby, monkeypatch: pytest.MonkeyPatch) -> None:
    named = settings(DATABASE_URL=database, EARNEST_READ_URL=standby.url(database))
    (found,) = await standby_server.look(named)
    assert found.grade is Grade.FINE
    monkeypatch.setattr(standby_server, "BEHIND_SECONDS_MAX", 0.0)
    async with standby.paused():
        await execute(MUCH_IS_WRITTEN)
        (found,) = await standby_server.look(named)
        assert found.grade is Grade.ODD


async def test_what_answers_at_the_address_must_be_a_standby(database: str) -> None:
    found = Replica(database, primary_url=database)
    with pytest.raises(replica.NoStandby):
        await found.look()
    assert not found.standing().is_read
    await found.close()


async def test_a_standby_of_a_history_that_was_voided_is_not_read(
    people: People,
    database: str,
    standby: Standby,
    engines: Engines,
    read: Replica,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with standby_of(engines.database_url) as restored:
        async with restored.cut_off():
            await execute(MUCH_IS_WRITTEN)
            await caught_up(read)
            await restored.promote()
        primary = restored.url(database)
        found = Replica(standby.url(database), primary_url=primary)
        try:
            with pytest.raises(replica.NoStandby, match="another history"):
                await found.look()
            async with standby.cut_off():
                with pytest.raises(replica.NoStandby, match="never wrote"):
                    await found.look()
                monkeypatch.setenv("EARNEST_READ_URL", standby.url(database))
                code, said, complaints = await earnest(primary, redis_url, "audit")
                assert (code, said) == (2, ""), complaints
                assert "no standby of DATABASE_URL (it has what the primary never wrote" in complaints

                # Once the primary has written as much as the other history had, nothing tells them apart but that it stands.
                connection = await asyncpg.connect(primary)
                await connection.execute(MUCH_IS_WRITTEN * 2)
                await connection.close()
                for _ in range(2):
                    await found.look()
                    assert not found.standing().is_read
        finally:
            await found.close()


async def test_only_a_deployment_with_a_standby_pays_for_it(
    people: People, database: str, standby: Standby, redis_url: str
) -> None:
    async def statements() -> tuple[int, int]:
        with counting() as command:
            await propose(people, "One more")
        with counting() as placing:
            while await log.sequence():
                pass
        return len(command), len(placing)

    await propose(people, "The first")
    without = await statements()
    assert without[0] == 3  # whose key it is, read, write
    await bookmarks.connect(redis_url)
    try:
        assert await statements() == (without[0] + 1, without[1] + 1)
    finally:
        await bookmarks.disconnect()
