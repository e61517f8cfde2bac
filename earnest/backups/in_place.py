"""Restores the embedded PostgreSQL: what was there is moved aside, and put back unless the recovery gets to its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

import asyncpg

from earnest.backups import archiving, cluster, restoring, taking, unfinished
from earnest.backups.unfinished import DATA, Restore
from earnest.run import embedded
from earnest.run.refusing import CannotStart
from escrow.settings import Settings

POLL_SECONDS: Final = 0.05


@asynccontextmanager
async def restored(root: Path, backups: Path, until: datetime | None) -> AsyncIterator[tuple[Settings, Path | None]]:
    """The deployment of this folder as it was at a moment, its engines alive inside the context; and where the data
    of before is, if there was any.

    Refuses with `CannotStart` while it runs, and where nothing fits. Whatever breaks it off before PostgreSQL has recovered, be
    it a full disk, Ctrl-C or SIGKILL: what was there is there again, at the latest when the next command begins.
    """
    directory = root / embedded.DIRECTORY
    with embedded.lock(directory, is_passing=True):
        await embedded.settle_restore(directory)
        data = directory / DATA
        # What another cluster has written there continues nothing of this one.
        is_same = cluster.of_backups(backups) in (None, cluster.of_data(data))
        base = restoring.choose(backups, until, written=data / "pg_wal" if is_same else None)
        newest = restoring.newest_log(data, backups) if is_same else []
        if until is None:
            restoring.check_whole(base, backups, coming=[path for path, _ in newest])
        restore = Restore.begun(directory, kept=[kept for _, kept in newest])
        try:
            taking.make_folder(backups)
            restoring.keep_newest_log(newest)
            archiving.open_to_server(backups, data)  # with what was just kept: the server has to read it
            restoring.prepare(base, backups, unfinished.draft(directory), until)
            restore.put_in_place(directory)
            async with embedded.running_engines(directory, restoring=True) as engines:
                await recovered(engines.database_url, engines.processes()["PostgreSQL"])
                environ = embedded.environment(
                    directory, database_url=engines.database_url, redis_url=engines.redis_url
                )
                yield Settings.from_environment(environ), _kept(directory, restore)
        finally:
            restore.settle(directory)


def _kept(directory: Path, restore: Restore) -> Path | None:
    return directory / restore.aside if restore.aside is not None else None


async def recovered(database_url: str, process: asyncio.subprocess.Process) -> None:
    """Wait until it takes writes."""
    while True:
        try:
            connection = await asyncpg.connect(database_url)
            try:
                if not await connection.fetchval("SELECT pg_is_in_recovery()"):
                    return
            finally:
                await connection.close()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            pass
        if process.returncode is not None:
            raise CannotStart(
                "PostgreSQL ended while it recovered: the moment may lie after all that was kept; "
                "without --to everything that was kept comes back, up to the last commit"
            )
        await asyncio.sleep(POLL_SECONDS)
