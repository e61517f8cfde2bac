"""Processes that can't start say why in one line and end with 2: nobody has to read a traceback, and nobody waits for nothing."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import asyncpg
import pytest

from tests.earnest.commanding import begin
from tests.earnest.running import clean_environment, free_port
from tests.escrow.test_every_setting import STRIPE
from tests.escrow.test_settings import MINIMAL
from tests.patience import PATIENCE_SECONDS

NOBODY = "postgres://nobody@127.0.0.1:1/nothing"


async def refused(process: str, folder: Path, **environ: str) -> str:
    """The one line of a start that is refused."""
    variables = clean_environment() | MINIMAL | {"PORT": str(free_port()), "EARNEST_LOG_LEVEL": "warning"} | environ
    started = begin(process, folder=folder, environ=variables, log=folder / "said")
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            code = await started.wait()
    except TimeoutError:
        started.kill()
        raise AssertionError(f"it goes on: {(folder / 'said').read_text()}") from None
    said = (folder / "said").read_text()
    assert (code, said.count("\n")) == (2, 1), said
    return said


async def test_a_web_process_whose_database_is_away(tmp_path: Path) -> None:
    said = await refused("web", tmp_path, DATABASE_URL=NOBODY)
    assert said.startswith("earnest: the database does not answer: ")


async def test_all_processes_at_once_beside_one_of_another_release_whose_tables_they_would_take(
    database_clone: str, redis_url: str, tmp_path: Path
) -> None:
    (tmp_path / "Procfile").write_text("web: earnest web\n")
    other = await asyncpg.connect(database_clone, server_settings={"application_name": "earnest 0.9.0"})
    try:
        await other.execute("DELETE FROM tortoise_migrations WHERE name = 'm0033_former_3_validated'")
        said = await refused("up", tmp_path, DATABASE_URL=database_clone, REDIS_URL=redis_url)
        assert said.startswith("earnest: processes of another release are still connected: earnest 0.9.0 from")
        assert not await other.fetchval(
            "SELECT EXISTS (SELECT FROM tortoise_migrations WHERE name LIKE '%_3_validated')"
        )
    finally:
        await other.close()


async def test_a_web_process_whose_port_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        said = await refused("web", tmp_path, PORT=str(port))
    assert said.startswith(f"earnest: Port {port} is taken")
    assert "PORT=" in said


async def test_a_web_process_at_an_address_of_another_machine(tmp_path: Path) -> None:
    said = await refused("web", tmp_path, EARNEST_HOST="192.0.2.1")
    assert said.startswith("earnest: EARNEST_HOST is 192.0.2.1, where this machine can't listen")


@pytest.mark.parametrize("process", ["web", "worker"])
async def test_real_money_on_a_database_whose_time_a_test_clock_has_moved(
    process: str, database_clone: str, redis_url: str, tmp_path: Path
) -> None:
    connection = await asyncpg.connect(database_clone)
    try:
        await connection.execute("UPDATE deployment SET clock_offset = interval '1 hour'")
    finally:
        await connection.close()
    said = await refused(process, tmp_path, **STRIPE, DATABASE_URL=database_clone, REDIS_URL=redis_url)
    assert said.startswith("earnest: EARNEST_SANDBOX is off, but a test clock has moved the time of this database")
