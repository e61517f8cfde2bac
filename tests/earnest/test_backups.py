"""What is refused before anything is touched, and the words in which PostgreSQL's programs are told."""

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from signal import SIGKILL

import pytest

from earnest.backups import archiving, cluster, programs, restoring, taking
from earnest.backups.programs import for_libpq
from earnest.backups.taking import WAL
from earnest.commands import backup, restore
from earnest.doctor import kept_backups
from earnest.doctor.findings import Grade
from earnest.engines.processes import start_time
from earnest.run.refusing import CannotStart
from tests.escrow.test_settings import MINIMAL
from tests.patience import PATIENCE_SECONDS

NOON = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


def _base(backups: Path, name: str) -> Path:
    path = backups / name
    path.mkdir(parents=True)
    return path


def test_the_newest_backup_from_before_the_moment_is_chosen(tmp_path: Path) -> None:
    for name in ("base-20261128T030000Z", "base-20261129T030000Z", "base-20261130T030000Z", "base.part", "base-odd"):
        _base(tmp_path, name)
    assert restoring.choose(tmp_path, NOON).path.name == "base-20261129T030000Z"
    assert restoring.choose(tmp_path, None).path.name == "base-20261130T030000Z"
    with pytest.raises(CannotStart, match=r"oldest backup .* is of 2026-11-28T03:00:00Z"):
        restoring.choose(tmp_path, datetime(2026, 11, 1, tzinfo=UTC))


def _copied(backups: Path, name: str, *, timeline: int, until: str) -> None:
    ranges = [{"Timeline": timeline, "Start-LSN": "0/28", "End-LSN": until}]
    (_base(backups, name) / "backup_manifest").write_text(json.dumps({"Files": [], "WAL-Ranges": ranges}))


def test_a_backup_of_what_a_restore_undid_is_passed_over(tmp_path: Path) -> None:
    _copied(tmp_path, "base-20261129T000000Z", timeline=1, until="0/2000158")
    _copied(tmp_path, "base-20261129T020000Z", timeline=1, until="0/F000158")
    (tmp_path / "wal").mkdir()
    assert restoring.choose(tmp_path, None).path.name == "base-20261129T020000Z"

    # At 03:00 the moment 01:00 was brought back; then once more, which the server has not handed on yet.
    (tmp_path / "wal" / "00000002.history").write_text("1\t0/A000000\tbefore 2026-11-29 01:00:00+00\n")
    assert restoring.choose(tmp_path, None).path.name == "base-20261129T000000Z"
    _copied(tmp_path, "base-20261129T040000Z", timeline=2, until="0/C000158")
    assert restoring.choose(tmp_path, None).path.name == "base-20261129T040000Z"
    assert restoring.choose(tmp_path, datetime(2026, 11, 29, 3, tzinfo=UTC)).path.name == "base-20261129T000000Z"
    written = tmp_path / "pg_wal"
    written.mkdir()
    history = "1\t0/A000000\tbefore 2026-11-29 01:00:00+00\n\n2\t0/B000000\tno recovery target specified\n"
    (written / "00000003.history").write_text(history)
    assert restoring.choose(tmp_path, None, written=written).path.name == "base-20261129T000000Z"


def test_whoever_asks_for_a_moment_that_a_restore_undid_is_told_that_nothing_of_it_comes_back(tmp_path: Path) -> None:
    (tmp_path / "wal").mkdir()
    history = tmp_path / "wal" / "00000002.history"
    eight, nine, ten = (datetime(2026, 11, 29, hour, tzinfo=UTC) for hour in (8, 9, 10))
    assert restoring.remark(tmp_path, nine) is None, "nothing was restored"
    for why, said in (
        ("before 2026-11-29 09:00:00.25+01", "nothing of 2026-11-29T08:00:00Z to 2026-11-29T10:00:00Z comes back"),
        ("no recovery target specified", None),
    ):
        history.write_text(f"1\t0/3000100\t{why}\n")
        os.utime(history, (ten.timestamp(), ten.timestamp()))
        found = restoring.remark(tmp_path, nine)
        assert found is None if said is None else found is not None and found.startswith(said)
        assert [restoring.remark(tmp_path, one) for one in (eight, ten, None)] == [None] * 3


def test_where_a_restore_undid_all_that_was_copied_nothing_is_restored(tmp_path: Path) -> None:
    _copied(tmp_path, "base-20261129T020000Z", timeline=1, until="1/158")
    (tmp_path / "wal").mkdir()
    (tmp_path / "wal" / "00000002.history").write_text("1\t0/FF000000\tno recovery target specified\n")
    with pytest.raises(CannotStart, match="a time that an earlier restore undid: choose a later moment"):
        restoring.choose(tmp_path, None)


@pytest.mark.parametrize("name", ["", WAL], ids=["all of it", "the log"])
def test_what_cannot_be_looked_into_is_not_taken_for_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    closed, inside = tmp_path / name, Path.iterdir

    def opened(folder: Path) -> Iterator[Path]:
        if folder == closed:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
        return inside(folder)

    (tmp_path / WAL).mkdir()
    monkeypatch.setattr(Path, "iterdir", opened)
    for look in (
        lambda: restoring.choose(tmp_path, None),
        lambda: restoring.remark(tmp_path, NOON),
        lambda: cluster.of_backups(tmp_path),
        lambda: archiving.settings_for(tmp_path, tmp_path / "data"),
    ):
        with pytest.raises(
            CannotStart, match=f"^{closed} can't be read \\(Permission denied\\): begin again as a user who may"
        ):
            look()
    (finding,) = kept_backups.look(tmp_path)
    assert (finding.grade, f"{closed} can't be read" in finding.what) == (Grade.ODD, True)


def test_without_a_backup_nothing_is_restored(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="There is no backup in"):
        restoring.choose(tmp_path, None)


def test_what_is_there_is_never_written_over(tmp_path: Path) -> None:
    there = _base(tmp_path, "data")
    (there / "PG_VERSION").write_text("18\n")
    base = taking.Base(_base(tmp_path, "base-20261129T030000Z"), NOON)
    with pytest.raises(CannotStart, match="isn't empty"):
        restoring.prepare(base, tmp_path, there, None)
    assert [path.name for path in there.iterdir()] == ["PG_VERSION"]


def test_a_moment_that_is_yet_to_come_is_refused_before_anything_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    parser = argparse.ArgumentParser()
    restore.add_arguments(parser)
    ahead = f"{datetime.now(UTC) + timedelta(hours=1):%Y-%m-%dT%H:%M:%S}"
    for further in ([], ["--into", str(tmp_path / "data")]):
        args = parser.parse_args(["--from", str(tmp_path / "backups"), "--to", ahead, *further])
        with pytest.raises(
            CannotStart, match=rf"--to names {ahead}Z, and that is yet to come: .* without a zone is UTC"
        ):
            restore.run(args)
    assert list(tmp_path.iterdir()) == []
    restoring.check_has_come(NOON, now=NOON)
    an_hour_ago = datetime.fromisoformat("2026-11-29T12:00:00+01:00")
    restoring.check_has_come(an_hour_ago, now=NOON)


def test_postgresqls_programs_get_the_url_without_what_is_our_drivers_alone() -> None:
    assert for_libpq("postgres://u@db:5432/e?ssl=true&maxsize=5") == "postgresql://u@db:5432/e?sslmode=require"
    assert for_libpq("postgres://postgres:@/earnest?host=/tmp/x&maxsize=5") == (
        "postgresql://postgres@/earnest?host=%2Ftmp%2Fx"
    )


@pytest.mark.parametrize(
    ("url", "shown", "password"),
    [
        ("postgres://u:p@db:5432/e?ssl=true", "postgresql://u@db:5432/e?sslmode=require", "p"),
        ("postgres://u%40x:p%40%2F%3a+@db/e", "postgresql://u%40x@db/e", "p@/:+"),
        ("postgres://u@db/e?password=p%26%25&maxsize=5", "postgresql://u@db/e", "p&%"),
        ("postgres://db/e", "postgresql://db/e", None),
    ],
)
def test_a_password_is_given_to_postgresqls_programs_where_nobody_else_reads_it(
    url: str, shown: str, password: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGPASSWORD", raising=False)
    monkeypatch.setenv("PGSSLROOTCERT", "system")
    assert for_libpq(url) == shown
    environ = programs.environment(url)
    assert (environ.get("PGPASSWORD"), environ["PGSSLROOTCERT"]) == (password, "system")


def test_a_backup_is_taken_with_the_password_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a program that says what it was called with, and fails."""
    tool = tmp_path / "pg_basebackup"
    tool.write_text('#!/bin/sh\necho "$* with $PGPASSWORD"\nexit 1\n')
    tool.chmod(0o755)
    monkeypatch.setattr(programs, "tool", lambda name: str(tmp_path / name))
    with pytest.raises(CannotStart, match=r"--dbname postgresql://u@db/e --pgdata .* with p@ss$"):
        taking.take("postgres://u:p%40ss@db/e", tmp_path / "backups")


_WAITING = """#!/bin/sh
while [ "$1" != --pgdata ]; do shift; done
mkdir "$2" || exit 1
echo "copied by one" > "$2/file"
mkdir {0}/begun || exit 1
until [ -e {0}/go ]; do sleep 0.05; done
"""


def test_a_second_backup_at_once_is_refused_and_the_first_one_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, script in (("pg_basebackup", _WAITING.format(tmp_path)), ("pg_verifybackup", "#!/bin/sh\n")):
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(programs, "tool", lambda name: str(tmp_path / name))
    for name, value in MINIMAL.items():
        monkeypatch.setenv(name, value)
    backups = tmp_path / "backups"
    parser = argparse.ArgumentParser()
    backup.add_arguments(parser)
    args = parser.parse_args(["--to", str(backups)])
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(backup.run, args)
        try:
            while not (tmp_path / "begun").exists():
                assert not first.done(), first.result()
                time.sleep(0.01)
            with pytest.raises(CannotStart, match=rf"^Process {os.getpid()} takes a backup into {backups} just now"):
                backup.run(args)
        finally:
            (tmp_path / "go").touch()
        assert first.result() == 0
    (base,) = taking.bases(backups)
    assert (base.path / "file").read_text() == "copied by one\n"
    with taking.alone(backups):  # whoever was at it is no more
        pass


_ENDLESS = """#!/bin/sh
echo $$ > {0}/pid.part && mv {0}/pid.part {0}/pid
while :; do sleep 0.05; done
"""
_TAKING = """
import sys
from pathlib import Path
from earnest.backups import programs, taking
folder = Path(sys.argv[1])
programs.tool = lambda name: str(folder / name)
taking.take("postgres://db/e", folder)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a program's life is bound to ours on Linux alone")
def test_a_program_that_copies_ends_with_whoever_is_killed_who_has_begun_it(tmp_path: Path) -> None:
    (tmp_path / "pg_basebackup").write_text(_ENDLESS.format(tmp_path))
    (tmp_path / "pg_basebackup").chmod(0o755)
    with subprocess.Popen([sys.executable, "-c", _TAKING, str(tmp_path)]) as taker:
        while not (tmp_path / "pid").exists():
            assert taker.poll() is None
            time.sleep(0.01)
        pid = int((tmp_path / "pid").read_text())
        taker.kill()
    until = time.monotonic() + PATIENCE_SECONDS
    try:
        while start_time(pid) is not None:
            assert time.monotonic() < until, "it goes on"
            time.sleep(0.01)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, SIGKILL)


def test_a_folder_without_locks_takes_backups_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refused)
    with taking.alone(tmp_path), taking.alone(tmp_path):
        assert (tmp_path / taking.WAL).is_dir()


def test_a_file_of_the_log_is_kept_once_and_never_replaced_by_another(tmp_path: Path) -> None:
    wal = tmp_path / "a folder's 100%" / "wal"
    wal.mkdir(parents=True)
    written = tmp_path / "000000010000000000000001"

    def hand_on(content: str) -> int:
        written.write_text(content)
        command = restoring.keep_command(wal).replace("%p", str(written)).replace("%f", written.name)
        return subprocess.run(["/bin/sh", "-c", command.replace("%%", "%")], check=False).returncode

    assert hand_on("what was written") == 0
    assert hand_on("what was written") == 0, "handed on once more, as after a crash"
    assert hand_on("another server's") != 0
    assert (wal / written.name).read_text() == "what was written"
    assert [path.name for path in wal.iterdir()] == [written.name]


def test_the_name_of_a_file_of_the_log_is_on_disk_before_it_counts_unless_a_share_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a program that writes down what it is to make safe, and what is in the folder then."""
    wal, programs_ = tmp_path / "wal", tmp_path / "programs"
    wal.mkdir()
    programs_.mkdir()
    (programs_ / "sync").write_text(f'#!/bin/sh\necho "${{1##*/}}: $(ls {wal})" >> {tmp_path}/synced\ntest -f "$1"\n')
    (programs_ / "sync").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs_}:{os.environ['PATH']}")
    written = tmp_path / "000000010000000000000001"
    written.touch()
    command = restoring.keep_command(wal).replace("%p", str(written)).replace("%f", written.name)
    assert subprocess.run(["/bin/sh", "-c", command], check=False).returncode == 0
    copy = f"{written.name}.copy"
    assert (tmp_path / "synced").read_text().splitlines() == [f"{copy}: {copy}", f"wal: {written.name}"]


def test_only_a_file_of_the_log_that_isnt_there_is_taken_for_its_end(tmp_path: Path) -> None:
    wal, data = tmp_path / "a folder's 100%" / "wal", tmp_path / "data"
    data.mkdir()

    def fetch(name: str, to: str = "RECOVERYXLOG") -> int:
        command = restoring.fetch_command(wal).replace("%p", to).replace("%f", name).replace("%%", "%")
        return subprocess.run(["/bin/sh", "-c", command], cwd=data, check=False, capture_output=True).returncode

    assert fetch("000000010000000000000001") == 126, (
        "there is no folder: a disk that isn't there, or isn't ours to read"
    )
    wal.mkdir(parents=True)
    assert fetch("000000010000000000000001") == 1
    (wal / "000000010000000000000002").write_text("full")
    (wal / "000000010000000000000003.partial").write_text("not full")
    (wal / "000000010000000000000004.partial").write_bytes(bytes(8192))  # it was being filled, and there was no room
    (wal / "000000010000000000000005.partial").touch()
    assert [fetch(f"00000001000000000000000{number}") for number in (4, 5)] == [1, 1]
    for name, content in (("000000010000000000000002", "full"), ("000000010000000000000003", "not full")):
        assert fetch(name, to="nowhere/RECOVERYXLOG") == 126
        assert fetch(name) == 0
        assert (data / "RECOVERYXLOG").read_text() == content
