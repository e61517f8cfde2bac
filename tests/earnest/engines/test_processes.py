"""What the engines write: only their own user may read it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from earnest.demo.people import KEYS_FILE, read_keys
from earnest.engines import Engines
from earnest.engines.processes import open_log, read_private, write_private
from earnest.run.refusing import CannotStart


async def test_whatever_the_engines_write_is_for_their_own_user_only(engines: Engines) -> None:
    connection = await asyncpg.connect(engines.database_url)
    try:
        await connection.execute("DO $$ BEGIN RAISE LOG 'somebody’s words'; END $$")
        await connection.execute("CREATE TABLE written_to_disk AS SELECT 1; DROP TABLE written_to_disk; CHECKPOINT")
    finally:
        await connection.close()
    written = [path for path in engines.directory.rglob("*") if path.is_file()]
    assert {"postgres.log", "PG_VERSION", "postmaster.pid"} <= {path.name for path in written}
    open_to_others = {str(path): oct(mode) for path in written if (mode := path.stat().st_mode & 0o777) & 0o077}
    assert open_to_others == {}


def test_a_log_that_everybody_could_read_is_closed_when_it_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "postgres.log"
    path.write_text("of an earlier release")
    path.chmod(0o644)
    with open_log(path) as log:
        log.write(b", and of this one")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text() == "of an earlier release, and of this one"


NOBODY = 65_534


def test_what_root_writes_in_somebodys_folder_is_theirs(tmp_path: Path) -> None:
    folder = tmp_path / "somebodys"
    folder.mkdir()
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    write_private(folder / KEYS_FILE, "{}")
    open_log(folder / "postgres.log").close()
    owner = folder.stat()
    for path in folder.iterdir():
        assert (path.stat().st_uid, path.stat().st_gid) == (owner.st_uid, owner.st_gid)
        assert path.stat().st_mode & 0o777 == 0o600


@contextmanager
def closed(path: Path) -> Iterator[None]:
    """A file that this process may not read, being somebody else, or being told so."""
    if os.geteuid() != 0:
        path.chmod(0)
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_file_of_somebody_else_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / KEYS_FILE
    path.write_text("{}")
    path.chmod(0o600)
    with closed(path):
        for read in (read_private, read_keys):
            with pytest.raises(CannotStart, match=f"{KEYS_FILE} belongs to somebody else: start Earnest as"):
                read(path)
