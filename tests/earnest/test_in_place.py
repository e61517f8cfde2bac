"""A restore in place: broken off at any of its steps, by an error, by Ctrl-C or by SIGKILL, it is as if it hadn't been; and
after one that was through comes another."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from earnest.backups import archiving, in_place, restoring, taking, unfinished
from earnest.backups.archiving import BACKUPS
from earnest.backups.unfinished import JOURNAL, RECOVERY_SIGNAL, Restore
from earnest.run import embedded
from earnest.run.refusing import CannotStart

STEPS: Final[dict[str, tuple[object, str]]] = {
    "keeping the newest log": (restoring, "keep_newest_log"),
    "opening the folder": (archiving, "open_to_server"),
    "checking the base": (taking, "check"),
    "copying the base": (restoring, "fetch_command"),
    "moving it to its place": (Restore, "put_in_place"),
    "recovering": (embedded, "running_engines"),
}
"""What a restore does, in this order, and what is broken to break it off there."""


class Killed(BaseException):
    """After it nothing is done any more."""


def _tree(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with data that stand for a server's, and a backup of an earlier state of them."""
    for folder, content in ((".earnest/postgres", "newest"), ("backups/base-20261101T030000Z", "old")):
        for name in ("PG_VERSION", "global/pg_control", "pg_wal/000000010000000000000003", "postgresql.auto.conf"):
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"# {content}\n")
    (tmp_path / "backups/wal").mkdir()
    (tmp_path / "backups/wal/000000010000000000000002").write_text("handed on")
    monkeypatch.setattr(taking, "check", lambda base: None)
    for name in ("DATABASE_URL", "REDIS_URL", BACKUPS):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


async def _restore(root: Path) -> None:
    async with in_place.restored(root, root / "backups", None):
        pytest.fail("it was to be broken off")


def _break(monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException) -> None:
    def broken(*arguments: object, **_: object) -> None:
        match arguments:
            case (Restore(aside=str(aside)), Path() as directory):
                (directory / "postgres").rename(directory / aside)
        raise error

    monkeypatch.setattr(*STEPS[step], broken)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("error", [OSError("No space left on device"), KeyboardInterrupt()], ids=["full", "ctrl-c"])
async def test_one_that_fails_puts_back_what_was_there(
    root: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    before, backups = _tree(root / ".earnest" / "postgres"), _tree(root / "backups")
    _break(monkeypatch, step, error)
    with pytest.raises(type(error)):
        await _restore(root)
    assert _tree(root / ".earnest" / "postgres") == before
    assert _tree(root / "backups") == backups, "a file that isn't full would stand in the way of the full one"
    assert not (root / ".earnest" / JOURNAL).exists()


@pytest.mark.parametrize("step", STEPS)
async def test_one_that_is_killed_is_undone_by_whoever_comes_next(
    root: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    directory = root / ".earnest"
    before, backups = _tree(directory / "postgres"), _tree(root / "backups")
    with monkeypatch.context() as killing:
        _break(killing, step, Killed())
        killing.setattr(Restore, "settle", lambda *_: None)
        with pytest.raises(Killed):
            await _restore(root)
    said: list[str] = []
    with embedded.lock(directory):
        await embedded.settle_restore(directory, tell=said.append)
    assert said == ["a restore was broken off: everything is as it was before it"]
    assert _tree(directory / "postgres") == before
    assert _tree(root / "backups") == backups
    assert not unfinished.draft(directory).exists()


def test_no_part_of_a_copy_is_one_that_postgresql_starts_on(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(restoring, "fetch_command", full)
    (base,) = taking.bases(root / "backups")
    with pytest.raises(OSError, match="No space"):
        restoring.prepare(base, root / "backups", root / "copy", None)
    there = _tree(root / "copy")
    assert RECOVERY_SIGNAL in there
    assert "PG_VERSION" in there
    assert "global/pg_control" not in there


def test_what_a_former_recovery_was_told_is_not_told_again(root: Path) -> None:
    (base,) = taking.bases(root / "backups")
    settings = "work_mem = '8MB'\nrecovery_target_time = '2026-10-01T00:00:00+00:00'\nrestore_command = 'false'\n"
    (base.path / "postgresql.auto.conf").write_text(settings)
    restoring.prepare(base, root / "backups", root / "copy", None)
    told = (root / "copy" / "postgresql.auto.conf").read_text().splitlines()
    assert [line.partition(" = ")[0] for line in told] == [
        *("work_mem", "restore_command", "recovery_target_action", "recovery_end_command")
    ]
    assert "restore_command = 'false'" not in told
    assert (root / "copy" / "postgresql.auto.conf.restored").read_text() == "work_mem = '8MB'\n"


async def test_where_nothing_was_before_no_empty_one_takes_its_place(root: Path) -> None:
    directory = root / ".earnest"
    (directory / "postgres").rename(root / "away")
    Restore.begun(directory)
    with pytest.raises(CannotStart, match="broken off, and nothing was there before: `earnest restore` once more"):
        async with embedded.deployment(root):
            pytest.fail("it started")
    assert not (directory / "postgres").exists()


def test_one_that_recovered_is_not_undone_any_more(root: Path) -> None:
    directory = root / ".earnest"
    restore = Restore.begun(directory)
    (root / "backups/base-20261101T030000Z").rename(unfinished.draft(directory))
    restore.put_in_place(directory)
    assert restore.settle(directory)
    assert (directory / "postgres/PG_VERSION").read_text() == "# old\n"
    assert restore.aside is not None
    assert (directory / restore.aside / "PG_VERSION").read_text() == "# newest\n"


@asynccontextmanager
async def _running(root: Path) -> AsyncIterator[asyncpg.Connection]:
    directory = root / ".earnest"
    with embedded.lock(directory):
        async with embedded.running_engines(directory) as engines:
            connection = await asyncpg.connect(engines.database_url)
            try:
                yield connection
            finally:
                await connection.close()


async def _break_off_while_recovering(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare = restoring.prepare

    def prepare_to_pause(base: taking.Base, backups: Path, data: Path, until: None) -> None:
        prepare(base, backups, data, until)
        with (data / "postgresql.auto.conf").open("a") as settings:
            settings.write("recovery_target = 'immediate'\nrecovery_target_action = 'pause'\n")

    async def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(restoring, "prepare", prepare_to_pause)
    monkeypatch.setattr(in_place, "recovered", interrupted)
    with pytest.raises(KeyboardInterrupt):
        await _restore(root)


async def _written_after_a_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the backups of a server are that wrote a table since; it has ended."""
    tmp_path.chmod(0o755)
    backups = tmp_path / "backups"
    monkeypatch.setenv(BACKUPS, str(backups))
    async with _running(tmp_path) as connection:
        url = f"postgres://postgres:@/earnest?host={await connection.fetchval('SHOW unix_socket_directories')}"
        taking.take(url, backups)
        await connection.execute("CREATE TABLE kept AS SELECT 1 AS row")
    return backups


async def test_a_moment_after_the_last_commit_is_refused_with_the_way_to_that_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backups = await _written_after_a_backup(tmp_path, monkeypatch)
    with pytest.raises(CannotStart, match="without --to everything that was kept comes back, up to the last commit"):
        async with in_place.restored(tmp_path, backups, datetime.now(UTC) + timedelta(days=1)):
            pytest.fail("nothing was ever written then")
    async with _running(tmp_path) as connection:
        assert await connection.fetchval("SELECT row FROM kept") == 1


async def test_a_real_server_goes_on_and_hands_on_what_it_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backups = await _written_after_a_backup(tmp_path, monkeypatch)

    await _break_off_while_recovering(tmp_path, monkeypatch)
    async with _running(tmp_path) as connection:
        assert await connection.fetchval("SELECT row FROM kept") == 1
        assert await connection.fetchval("SELECT pg_is_in_recovery()") is False
        assert await connection.fetchval("SELECT timeline_id FROM pg_control_checkpoint()") == 1
        written = await connection.fetchval("SELECT pg_walfile_name(pg_current_wal_lsn())")
        await connection.execute("SELECT pg_switch_wal()")
    # Stopping, it waits until everything was handed on, or that has failed three times.
    assert (backups / taking.WAL / written).exists()
    assert list((tmp_path / ".earnest/postgres/pg_wal/archive_status").glob("*.ready")) == []


async def _rows_after(root: Path, until: datetime | None, *, then: int) -> list[int]:
    """What a restore brings back, and what is written after it."""
    async with in_place.restored(root, root / "backups", until) as (settings, _):
        connection = await asyncpg.connect(settings.database_url)
        try:
            rows = await connection.fetch("SELECT row FROM written ORDER BY row")
            await connection.execute("INSERT INTO written VALUES ($1)", then)
        finally:
            await connection.close()
    return [row["row"] for row in rows]


async def test_another_restore_begins_before_what_the_last_one_undid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o755)
    backups = tmp_path / "backups"
    monkeypatch.setenv(BACKUPS, str(backups))
    async with _running(tmp_path) as connection:
        url = f"postgres://postgres:@/earnest?host={await connection.fetchval('SHOW unix_socket_directories')}"
        await connection.execute("CREATE TABLE written AS SELECT 1 AS row")
        taking.take(url, backups).path.rename(backups / "base-20260101T000000Z")
        await connection.execute("INSERT INTO written VALUES (2)")
        moment = await connection.fetchval("SELECT clock_timestamp()")
        await connection.execute("INSERT INTO written VALUES (3)")
        taking.take(url, backups)
    assert await _rows_after(tmp_path, moment, then=4) == [1, 2]
    settings = (tmp_path / ".earnest/postgres/postgresql.auto.conf").read_text()
    assert not any(name in settings for name in restoring.RECOVERY_SETTINGS), "a standby would take it for its own"
    assert await _rows_after(tmp_path, None, then=5) == [1, 2, 4]


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that every user may enter: a server that may not by itself is given the right to read everything."""
    with tempfile.TemporaryDirectory(prefix="earnest-", dir="/tmp") as folder:
        path = Path(folder)
        path.chmod(0o755)
        yield path


async def test_what_was_never_handed_on_comes_back_too_be_the_server_another_users(
    reachable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backups = reachable / "backups"
    monkeypatch.delenv(BACKUPS, raising=False)
    async with _running(reachable) as connection:
        url = f"postgres://postgres:@/earnest?host={await connection.fetchval('SHOW unix_socket_directories')}"
        taking.take(url, backups)
        await connection.execute("CREATE TABLE written AS SELECT 1 AS row")
    assert list((backups / taking.WAL).iterdir()) == []
    assert await _rows_after(reachable, None, then=2) == [1]
