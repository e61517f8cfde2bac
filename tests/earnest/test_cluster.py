"""Whose a folder of backups is: a database made anew neither hands anything on to those of another nor mixes with them."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from earnest.backups import cluster, follower, in_place, taking
from earnest.backups.archiving import BACKUPS
from earnest.run import embedded
from earnest.run.refusing import CannotStart

OTHERS = "has the backups of another database than .* name an empty one, or .* `earnest restore`"


@asynccontextmanager
async def running(root: Path) -> AsyncIterator[str]:
    """The engines of this folder; gives the database's URL."""
    directory = root / embedded.DIRECTORY
    with embedded.lock(directory):
        async with embedded.running_engines(directory) as engines:
            yield engines.database_url


async def asked(url: str, statement: str) -> object:
    """One value."""
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def refused(root: Path) -> None:
    """Starting there says in one line whose the folder of backups is, and what to do."""
    with pytest.raises(CannotStart, match=OTHERS) as why:
        async with running(root):
            pytest.fail("it started")
    assert "\n" not in str(why.value)


async def test_a_database_made_anew_is_kept_out_of_anothers_backups_and_a_restored_one_goes_on_in_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o755)
    data, backups = tmp_path / embedded.DIRECTORY / "postgres", tmp_path / "backups"
    monkeypatch.setenv(BACKUPS, str(backups))
    async with running(tmp_path) as url:
        taking.take(url, backups)
        await asked(url, "CREATE TABLE kept AS SELECT 1 AS row")
        identifier = await asked(url, "SELECT system_identifier FROM pg_control_system()")
    assert cluster.of_data(data) == cluster.of_backups(backups) == identifier
    log = {path.name: path.read_bytes() for path in (backups / taking.WAL).iterdir()}

    shutil.rmtree(tmp_path / embedded.DIRECTORY)
    await refused(tmp_path)
    assert not data.exists(), "none was made"
    monkeypatch.delenv(BACKUPS)
    async with running(tmp_path) as url:
        with pytest.raises(CannotStart, match=OTHERS):
            await follower._follow_once(url, backups)
        assert await asked(url, "SELECT count(*) FROM pg_replication_slots") == 0, "it would keep the log for ever"
        for _ in log:
            await asked(url, "CREATE TABLE another AS SELECT 1 AS row")
            await asked(url, "DROP TABLE another")
            await asked(url, "SELECT pg_switch_wal()")
    monkeypatch.setenv(BACKUPS, str(backups))
    await refused(tmp_path)
    assert {path.name: path.read_bytes() for path in (backups / taking.WAL).iterdir()} == log

    async with in_place.restored(tmp_path, backups, None) as (settings, _):
        assert await asked(settings.database_url, "SELECT row FROM kept") == 1
    assert {path.name for path in (backups / taking.WAL).glob("00000001*")} == set(log), "nothing of the other one"
    async with running(tmp_path) as url:
        assert await asked(url, "SELECT system_identifier FROM pg_control_system()") == identifier


@pytest.mark.parametrize("content", [b"", b"handed on", bytes(32)], ids=["empty", "short", "not yet written"])
def test_a_file_that_does_not_say_whose_it_is_keeps_nobody_out(tmp_path: Path, content: bytes) -> None:
    (tmp_path / taking.WAL).mkdir()
    (tmp_path / taking.WAL / "000000010000000000000001.partial").write_bytes(content)
    assert cluster.of_backups(tmp_path) is None
    cluster.check_is_of(tmp_path, None, "that in here")
    cluster.check_is_of(tmp_path, 1, "that in here")
