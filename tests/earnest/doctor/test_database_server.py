"""What is said of a PostgreSQL that is away, too old, wrongly set or closed to us. Each is really so, but for its age."""

from __future__ import annotations

import asyncio
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from earnest.doctor import database_server, standby_server
from earnest.doctor.findings import Finding, Grade
from earnest.engines.postgres import EmbeddedPostgres, find_binaries
from earnest.engines.processes import Record
from tests.earnest.doctor.conftest import ROLE, Ward
from tests.earnest.doctor.test_addresses import settings
from tests.earnest.running import free_port


async def looked(url: str, *, pool_size: int = 20) -> list[Finding]:
    return await database_server.look(url, pool_size=pool_size)


def wrongs(found: list[Finding], *, grade: Grade = Grade.WRONG) -> list[Finding]:
    """What is not fine; each says what to do."""
    bad = [finding for finding in found if finding.grade is grade]
    assert all(finding.remedy for finding in bad)
    return bad


def the_one(found: list[Finding], *, grade: Grade = Grade.WRONG) -> Finding:
    (only,) = wrongs(found, grade=grade)
    return only


async def test_a_healthy_one_is_fine(ward: Ward) -> None:
    found = await looked(ward.url)
    assert {finding.grade for finding in found} == {Grade.FINE}, found
    assert found[0].what.startswith("18.")


async def test_one_that_is_away(tmp_path: Path) -> None:
    for url in (f"postgres://u:hunter2@127.0.0.1:{free_port()}/earnest", f"postgres://u:@/earnest?host={tmp_path}"):
        found = the_one(await looked(url))
        assert "can't be reached" in found.what
        assert "firewall" in found.remedy
        assert "hunter2" not in found.what + found.remedy


async def test_one_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_server, "ANSWER_SECONDS", 0.5)
    held = []

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)
        with suppress(OSError):
            await reader.read()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        found = the_one(await looked(f"postgres://u:p@127.0.0.1:{port}/earnest"))
        for writer in held:
            writer.close()
    assert found.what == "says nothing within 0.5 s"


async def test_a_password_that_is_wrong(ward: Ward) -> None:
    rules = ward.engines.directory / "postgres/pg_hba.conf"
    before = rules.read_text()
    await ward.order("DROP ROLE IF EXISTS stranger", "CREATE ROLE stranger LOGIN PASSWORD 'right'")
    try:
        rules.write_text(f"local all stranger scram-sha-256\n{before}")
        await ward.order("SELECT pg_reload_conf()")
        url = ward.url_of("earnest").replace("postgres://postgres:", "postgres://stranger:wrong")
        found = await looked(url)
        while "password authentication failed" not in str(found):  # the server reads its rules in its own time
            found = await looked(url)
    finally:
        rules.write_text(before)
        await ward.order("SELECT pg_reload_conf()")
    assert "pg_hba.conf" in the_one(found).remedy


async def test_a_database_that_is_not_there(ward: Ward) -> None:
    found = the_one(await looked(ward.url_of("nowhere")))
    assert 'database "nowhere" does not exist' in found.what
    assert "createdb" in found.remedy


async def test_connections_that_are_used_up(ward: Ward) -> None:
    await ward.order("DROP ROLE IF EXISTS crowded", "CREATE ROLE crowded LOGIN CONNECTION LIMIT 0")
    found = the_one(await looked(ward.url_of("earnest", role="crowded")))
    assert "too many connections" in found.what
    assert "max_connections" in found.remedy


async def test_one_that_is_too_old(ward: Ward) -> None:
    async with database_server.connected(ward.url) as connection:
        facts = dict(await connection.fetchrow(database_server.FACTS))
    found = the_one(database_server.judge(facts | {"major": 15, "version": "15.14"}, pool_size=20))
    assert (found.what, found.remedy) == ("15.14 is too old", "upgrade it to 18 or newer (pg_upgrade)")


async def test_a_standby(ward: Ward, tmp_path: Path) -> None:
    data, sockets = tmp_path / "postgres", ward.engines.directory.parent / "standby"
    tool = find_binaries() / "pg_basebackup"
    host = ward.engines.database_url.rpartition("=")[2]
    copy = [str(tool), "-h", host, "-U", "postgres", "-D", str(data), "-R", "--checkpoint=fast"]
    await asyncio.to_thread(subprocess.run, copy, check=True, capture_output=True)
    sockets = Path(host).with_name(Path(host).name + "-standby")
    sockets.mkdir(mode=0o700)
    standby = EmbeddedPostgres(
        data=data, sockets=sockets, log=tmp_path / "postgres.log", record=Record(tmp_path / "processes.json")
    )
    try:
        await standby.start()
        found = the_one(await looked(standby.url))
        both = settings(DATABASE_URL=ward.url_of("earnest"), EARNEST_READ_URL=standby.url)
        (near,) = await standby_server.look(both)
    finally:
        await standby.stop()
        sockets.rmdir()
    assert found.what == "it is a standby: nothing can be written"
    assert "primary" in found.remedy
    assert (near.grade, near.what) == (Grade.FINE, "it follows our database, and is near")


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [
        ("default_transaction_read_only", "on", "nothing can be written"),
        ("default_transaction_isolation", "'serializable'", "written for read committed"),
        ("synchronous_commit", "off", "a power cut can lose money"),
    ],
)
async def test_a_setting_of_the_database_that_breaks_it(ward: Ward, setting: str, value: str, says: str) -> None:
    async with ward.database(f"OWNER {ROLE}") as name:
        await ward.order(f"ALTER DATABASE {name} SET {setting} = {value}")
        found = the_one(await looked(ward.url_of(name, role=ROLE)))
    assert says in found.what


@pytest.mark.parametrize(
    ("setting", "grade"), [("fsync", Grade.WRONG), ("full_page_writes", Grade.WRONG), ("autovacuum", Grade.ODD)]
)
async def test_a_setting_of_the_server_that_risks_something(ward: Ward, setting: str, grade: Grade) -> None:
    started_with = {"fsync": "postgres -c fsync=on"}  # ours is started so, and what is said at the start wins
    async with database_server.connected(ward.url) as connection:
        facts = dict(await connection.fetchrow(database_server.FACTS))
    if setting in started_with:
        found = database_server.judge(facts | {setting: "off"}, pool_size=20)
    else:
        async with ward.set_to(setting, "off"):
            found = await looked(ward.url)
            while not wrongs(found, grade=grade):  # the server reads its settings in its own time
                found = await looked(ward.url)
    one = the_one(found, grade=grade)
    assert one.what.startswith(f"{setting} is off")
    assert one.remedy == f"ALTER SYSTEM SET {setting} = on; SELECT pg_reload_conf()"


async def test_an_encoding_that_cannot_hold_peoples_words(ward: Ward) -> None:
    options = f"OWNER {ROLE} TEMPLATE template0 ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C'"
    async with ward.database(options) as name:
        found = the_one(await looked(ward.url_of(name, role=ROLE)))
    assert found.what == "the database's encoding is LATIN1"


async def test_a_missing_extension(ward: Ward) -> None:
    async with ward.database(f"OWNER {ROLE}") as name:
        await ward.order("DROP EXTENSION plpgsql", database=name)
        found = the_one(await looked(ward.url_of(name, role=ROLE)))
    assert found.what == "the extension plpgsql is missing"
    assert found.remedy.startswith("CREATE EXTENSION plpgsql")


async def test_a_superuser_is_odd_unless_everything_is_built_in(ward: Ward) -> None:
    url = ward.url_of("earnest")
    assert the_one(await looked(url), grade=Grade.ODD).what == "postgres is a superuser"
    found = await database_server.look(url, pool_size=20, is_built_in=True)
    assert {finding.grade for finding in found} == {Grade.FINE}


async def test_pools_that_ask_for_more_than_the_server_has(ward: Ward) -> None:
    found = the_one(await looked(ward.url, pool_size=60))
    assert found.what == "max_connections is 100; a web process and a worker take up to 132"
    assert "?maxsize=" in found.remedy


async def test_what_the_role_may_not_do_is_told_with_the_grant(ward: Ward) -> None:
    await ward.order("DROP ROLE IF EXISTS limited", "CREATE ROLE limited LOGIN")
    grants = "GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO limited"
    await ward.order(grants, "REVOKE INSERT ON events FROM limited", database="earnest")
    delete, insert, usage = wrongs(await looked(ward.url_of("earnest", role="limited")))
    assert delete.what.startswith("limited may not DELETE account")
    assert delete.remedy == 'GRANT DELETE ON ALL TABLES IN SCHEMA public TO "limited"; as their owner'
    assert insert.what == "limited may not INSERT events"
    assert "may not use " in usage.what
    assert usage.remedy == 'GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO "limited"; as their owner'
    await ward.order("DROP OWNED BY limited", database="earnest")


@pytest.mark.parametrize("function", ["pg_control_system()", "pg_current_wal_lsn()", "pg_walfile_name(pg_lsn)"])
async def test_a_function_that_is_closed(ward: Ward, function: str) -> None:
    async with ward.database(f"OWNER {ROLE}") as name:
        await ward.order(f"REVOKE EXECUTE ON FUNCTION pg_catalog.{function} FROM PUBLIC", database=name)
        found = the_one(await looked(ward.url_of(name, role=ROLE)))
        assert found.what.startswith(f"{ROLE} may not call {function}, by which a restored server is known")
        await ward.order(found.remedy.partition("; as")[0], database=name)
        assert wrongs(await looked(ward.url_of(name, role=ROLE))) == []


async def test_a_schema_that_is_closed(ward: Ward) -> None:
    async with ward.database() as name:
        await ward.order("REVOKE ALL ON SCHEMA public FROM PUBLIC", database=name)
        found = the_one(await looked(ward.url_of(name, role=ROLE)))
    assert found.remedy == f'GRANT USAGE ON SCHEMA public TO "{ROLE}"'


async def test_what_piles_up_until_the_disk_is_full_is_told(ward: Ward) -> None:
    await ward.order("SELECT pg_create_physical_replication_slot('earnest_backup', true)")
    try:
        found = the_one(await looked(ward.url), grade=Grade.ODD)
    finally:
        await ward.order("SELECT pg_drop_replication_slot('earnest_backup')")
    assert "nobody reads earnest_backup" in found.what
    async with database_server.connected(ward.url) as connection:
        facts = dict(await connection.fetchrow(database_server.FACTS))
    assert facts["archiving_fails"] is not True
    found = the_one(database_server.judge(facts | {"archiving_fails": True}, pool_size=20))
    assert "kept nowhere else" in found.what


async def test_where_backups_are_kept_a_server_whose_log_nobody_keeps_is_odd(ward: Ward) -> None:
    said = await database_server.look(ward.url, pool_size=20, keeps_backups=True)
    found = the_one(said, grade=Grade.ODD)
    assert "nobody keeps what it writes: archive_mode is off" in found.what
    assert "earnest backup --follow" in found.remedy
    async with database_server.connected(ward.url) as connection:
        facts = dict(await connection.fetchrow(database_server.FACTS))
    assert wrongs(database_server.judge(facts | {"is_handed_on": True, "superuser": False}, pool_size=20)) == []
