"""Writes down what PostgreSQL does as it does it, by `pg_receivewal`, also after a restore or where a standby took over.

That program alone would ask for ever for what it can't get there: by a slot that only the server of before had, or for what
follows the last file that it has, which a restore has undone. And it would never learn how the new timeline began.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGTERM
from typing import Final

import asyncpg

from earnest.backups import cluster, programs, taking, timelines
from earnest.backups.restoring import LOG_FILE, SEGMENT_BYTES, Segment
from earnest.backups.taking import SLOT, WAL
from earnest.backups.timelines import Timeline
from earnest.engines.processes import end, launch, write_private
from earnest.run.refusing import CannotStart

UNDONE: Final = "undone"
"""Where files of the log go that lie beyond the moment at which a newer timeline began."""

AGAIN_SECONDS: Final = 5.0
END_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 30.0

_RECEIVE: Final = "pg_receivewal"
_DISCONNECTED: Final = f"{_RECEIVE}: error: disconnected"
"""What it always says last."""

_SERVER: Final = """
SELECT pg_walfile_name(pg_current_wal_lsn()) AS written, pg_size_bytes(current_setting('wal_segment_size')) AS segment_bytes,
    (pg_control_system()).system_identifier AS identifier
"""


async def follow(database_url: str, backups: Path) -> None:
    """Follow until SIGINT or SIGTERM, and wait wherever the server is away. Refuses with `CannotStart` without program or folder.

    By a slot of its own, so that nothing is missing after it was away; that slot has PostgreSQL keep what wasn't fetched yet.
    """
    taking.make_folder(backups)
    programs.tool(_RECEIVE)
    following = asyncio.create_task(_again_and_again(database_url, backups))
    for number in (SIGINT, SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, following.cancel)
    await asyncio.wait({following})
    if not following.cancelled():
        following.result()


async def _again_and_again(database_url: str, backups: Path) -> None:
    """Say why it doesn't follow, once for each reason."""
    said = ""
    while True:
        try:
            await _follow_once(database_url, backups)
        except (CannotStart, OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            why = " ".join(str(error).split()) or type(error).__name__
            if why != said:
                print(f"not followed, tried again every {AGAIN_SECONDS:g} s: {why}", flush=True)
            said = why
        await asyncio.sleep(AGAIN_SECONDS)


async def _follow_once(database_url: str, backups: Path) -> None:
    """Follow the server that is there now until it is gone, which is refused with `CannotStart`."""
    wal = backups / WAL
    number, segment_bytes, identifier = await _server(database_url)
    cluster.check_is_of(backups, identifier, "that of DATABASE_URL")
    await _receive(database_url, "--slot", SLOT, "--create-slot", "--if-not-exists")
    if number > 1 and not (wal / f"{number:08X}.history").exists():
        await _fetch_history(database_url, backups)
    timeline = timelines.newest([wal])
    if timeline.number == number and segment_bytes == SEGMENT_BYTES:
        _move_undone(backups, timeline)
    await _receive(database_url, "--slot", SLOT, "--directory", str(wal), "--synchronous", "--no-loop")


async def _server(database_url: str) -> tuple[int, int, int]:
    """The timeline that the server writes, how large the files of its log are, and its cluster's identifier."""
    url, password = programs.for_libpq(database_url), programs.password(database_url)
    connection = await asyncpg.connect(url, password=password, timeout=ANSWER_SECONDS)
    try:
        (row,) = await connection.fetch(_SERVER, timeout=ANSWER_SECONDS)
        return Segment.of(row["written"]).timeline, row["segment_bytes"], row["identifier"]
    finally:
        await connection.close(timeout=ANSWER_SECONDS)


async def _fetch_history(database_url: str, backups: Path) -> None:
    """Have `pg_receivewal` begin in an empty folder, where it writes down first how the timeline began, and end with that."""
    with tempfile.TemporaryDirectory(prefix="history-", dir=backups) as folder:
        await _receive(database_url, "--directory", folder, "--endpos", "0/1", "--no-loop")
        _keep_histories(Path(folder), backups / WAL)


def _keep_histories(folder: Path, wal: Path) -> None:
    for history in folder.glob("*.history"):
        write_private(wal / history.name, history.read_text())


def _move_undone(backups: Path, timeline: Timeline) -> None:
    """Move away what lies beyond the beginning of the newest timeline, since `pg_receivewal` goes on after the last file that is
    there.
    """
    for path in undone(backups / WAL, timeline):
        (backups / UNDONE).mkdir(mode=0o700, exist_ok=True)
        path.replace(backups / UNDONE / path.name)
        print(f"{path.name}: of a time that a restore undid, moved to {backups / UNDONE}", flush=True)


def undone(wal: Path, timeline: Timeline) -> Sequence[Path]:
    """The files after which no server of the newest timeline can go on: a full one that ends beyond the way to its beginning,
    and another one that begins there.
    """
    files = [path for path in sorted(wal.iterdir()) if LOG_FILE.fullmatch(path.name)]
    return [path for path in files if not timeline.leads_through(Segment.of(path.name).timeline, _goes_on_at(path))]


def _goes_on_at(path: Path) -> int:
    """The position at which `pg_receivewal` goes on if a file is the last one that it has."""
    number = Segment.of(path.name).number
    return (number if path.suffix else number + 1) * SEGMENT_BYTES


async def _receive(database_url: str, *arguments: str) -> None:
    """Run `pg_receivewal` to its end, or to ours, however that comes. Refuses with what it said."""
    command = (programs.tool(_RECEIVE), "--dbname", programs.for_libpq(database_url), *arguments)
    environ = programs.environment(database_url)
    # SIGKILL does no harm: what it has written stays, and a next one begins that file anew.
    process = await launch(*command, death_signal=SIGKILL, output=asyncio.subprocess.PIPE, environ=environ)
    try:
        said, _ = await process.communicate()
    finally:
        await end(process, first=SIGINT, grace_seconds=END_SECONDS)
    if process.returncode != 0:
        told = " ".join(said.decode(errors="replace").split())
        raise CannotStart(told.removesuffix(_DISCONNECTED).strip() or told)
