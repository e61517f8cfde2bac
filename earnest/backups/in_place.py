"""Restores the embedded PostgreSQL: what was there is moved aside, and put back if the recovery fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import asyncpg

from earnest.backups import archiving, restoring
from earnest.run import embedded
from earnest.run.refusing import CannotStart
from escrow.settings import Settings

POLL_SECONDS: Final = 0.05


@asynccontextmanager
async def restored(root: Path, backups: Path, until: datetime | None) -> AsyncIterator[tuple[Settings, Path]]:
    """The deployment of this folder as it was at a moment, its engines alive inside the context; and where the data of before is.

    Refuses with `CannotStart` while it runs, and where nothing fits; then everything is as it was.
    """
    directory = root / embedded.DIRECTORY
    with embedded.lock(directory):
        data = directory / "postgres"
        base = restoring.choose(backups, until)
        restoring.keep_newest_log(data, backups)
        archiving.open_to_server(backups, data)
        aside = directory / f"postgres-until-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
        if data.exists():
            data.rename(aside)
        try:
            restoring.prepare(base, backups, data, until)
            async with embedded.running_engines(directory) as engines:
                await _recovered(engines.database_url, engines.processes()["PostgreSQL"])
                environ = embedded.environment(
                    directory, database_url=engines.database_url, redis_url=engines.redis_url
                )
                yield Settings.from_environment(environ), aside
        except CannotStart:
            _put_back(data, aside)
            raise


async def _recovered(database_url: str, process: asyncio.subprocess.Process) -> None:
    """Wait until it takes writes; then it forgets what it was told for the recovery alone."""
    while True:
        try:
            connection = await asyncpg.connect(database_url)
            try:
                if not await connection.fetchval("SELECT pg_is_in_recovery()"):
                    for name in restoring.RECOVERY_SETTINGS:
                        await connection.execute(f"ALTER SYSTEM RESET {name}")
                    return
            finally:
                await connection.close()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            pass
        if process.returncode is not None:
            raise CannotStart("PostgreSQL ended while it recovered: the moment may lie after all that was kept")
        await asyncio.sleep(POLL_SECONDS)


def _put_back(data: Path, aside: Path) -> None:
    if data.exists():
        data.rename(data.with_name(f"{data.name}-not-restored-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"))
    if aside.exists():
        aside.rename(data)
