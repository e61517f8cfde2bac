"""What the built-in PostgreSQL comes with: the tools that operators need beside the server, and its extensions."""

from __future__ import annotations

import subprocess
from pathlib import Path

import asyncpg
import pytest

from earnest.engines import Engines
from earnest.engines.postgres import VERSION, find_binaries
from earnest.run.refusing import CannotStart

TOOLS = (
    "pg_basebackup",
    "pg_combinebackup",
    "pg_ctl",
    "pg_dump",
    "pg_restore",
    "pg_rewind",
    "pg_upgrade",
    "pg_verifybackup",
)
MORE_TOOLS = ("pg_amcheck", "pg_archivecleanup", "pg_isready", "pg_receivewal", "pg_waldump", "pgbench", "psql")
EXTENSIONS = {"amcheck", "pg_stat_statements", "pg_walinspect", "pgstattuple", "postgres_fdw"}


@pytest.mark.parametrize("tool", [*TOOLS, *MORE_TOOLS])
def test_every_tool_runs_and_is_of_the_servers_version(tool: str) -> None:
    said = subprocess.run([find_binaries() / tool, "--version"], capture_output=True, text=True, check=True).stdout
    assert f"(PostgreSQL) {VERSION}." in said


async def test_the_extensions_for_looking_into_a_server_are_there(engines: Engines) -> None:
    connection = await asyncpg.connect(engines.database_url)
    try:
        rows = await connection.fetch("SELECT name FROM pg_available_extensions")
    finally:
        await connection.close()
    assert {row["name"] for row in rows} >= EXTENSIONS


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full is Linux's")
async def test_where_there_is_no_room_nobody_is_told_to_move_the_data_away(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    async with Engines(tmp_path):
        pass
    options = tmp_path / "postgres" / "postmaster.opts"  # which every start writes
    options.unlink()
    options.symlink_to("/dev/full")
    with pytest.raises(CannotStart, match=r"No space left on device.*: make room there, and start again") as refused:
        await Engines(tmp_path).start()
    assert "damaged" not in str(refused.value)
    options.unlink()
    async with Engines(tmp_path):
        pass
