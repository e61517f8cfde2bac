"""What the engines write: only their own user may read it."""

from __future__ import annotations

from pathlib import Path

import asyncpg

from earnest.engines import Engines
from earnest.engines.processes import open_log


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
