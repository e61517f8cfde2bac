"""Writes down what PostgreSQL does as it does it, by `pg_receivewal`, also after a restore or where a standby took over.

That program alone would ask for ever for what it can't get there: by a slot that only the server of before had, or that the
server has given up; for what follows the last file that it has, which a restore has undone, or of which the server has nothing
any more. It would refuse for ever a file that it was filling when there was no more room. And it would never learn how the new
timeline began.
"""

from __future__ import annotations

import asyncio
import os
import re
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

_FILE_SAID: Final = re.compile(r"(?<!\S)[0-9A-F]{24}(?!\S)")
"""A file of the log that a server says it has no more, in whichever language: it stands alone. Those of the folder are quoted."""

_SERVER: Final = """
SELECT pg_walfile_name(pg_current_wal_lsn()) AS written, pg_size_bytes(current_setting('wal_segment_size')) AS segment_bytes,
    (pg_control_system()).system_identifier AS identifier
"""

_DROP: Final = f"""
SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '{SLOT}'
"""  # noqa: S608 - our own name of the slot

_DROP_LOST: Final = f"{_DROP} AND wal_status = 'lost'"
"""Of a slot for which the server would have had to keep more than it may (`max_slot_wal_keep_size`) nothing comes any more."""

_KEEP: Final = f"SELECT (lsn - '0/0')::bigint AS position FROM pg_create_physical_replication_slot('{SLOT}', true)"  # noqa: S608 - as above
"""Makes a slot for which everything is kept from now on, and says from where."""


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
    """Follow the server that is there now until it is gone, which is refused with `CannotStart`, or has nothing any more of what
    comes next: that is stepped over for the next time.
    """
    wal = backups / WAL
    number, segment_bytes, identifier = await _server(database_url)
    cluster.check_is_of(backups, identifier, "that of DATABASE_URL")
    await _asked(database_url, _DROP_LOST)
    await _receive(database_url, "--slot", SLOT, "--create-slot", "--if-not-exists")
    if number > 1 and not (wal / f"{number:08X}.history").exists():
        await _fetch_history(database_url, backups)
    timeline = timelines.newest([wal])
    is_known = timeline.number == number and segment_bytes == SEGMENT_BYTES
    if is_known:
        _move_undone(backups, timeline)
    _empty_what_was_not_filled(wal, segment_bytes)
    try:
        await _receive(database_url, "--slot", SLOT, "--directory", str(wal), "--synchronous", "--no-loop")
    except CannotStart as refusal:
        gone = _gone(wal, str(refusal)) if is_known else None
        if gone is None or (first := await _first_kept(database_url)) <= gone:
            raise
        _step_over(wal, timeline, gone, first)


async def _server(database_url: str) -> tuple[int, int, int]:
    """The timeline that the server writes, how large the files of its log are, and its cluster's identifier."""
    (row,) = await _asked(database_url, _SERVER)
    return Segment.of(row["written"]).timeline, row["segment_bytes"], row["identifier"]


async def _first_kept(database_url: str) -> int:
    """Since which file of its log the server keeps everything for us, by its number. The slot is made anew for that: it went back
    to what was asked for with it, though nothing is there.
    """
    await _asked(database_url, _DROP)
    (row,) = await _asked(database_url, _KEEP)
    return int(row["position"]) // SEGMENT_BYTES


async def _asked(database_url: str, sql: str) -> Sequence[asyncpg.Record]:
    url, password = programs.for_libpq(database_url), programs.password(database_url)
    connection = await asyncpg.connect(url, password=password, timeout=ANSWER_SECONDS)
    try:
        return await connection.fetch(sql, timeout=ANSWER_SECONDS)
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


def _empty_what_was_not_filled(wal: Path, segment_bytes: int) -> None:
    """Empty the files that `pg_receivewal` refuses for ever: it fills each with zeros before it writes anything, and there was no
    room, or it was killed. So there is nothing in them.
    """
    for path in wal.glob("*.partial"):
        if LOG_FILE.fullmatch(path.name) and path.stat().st_size not in (0, segment_bytes):
            os.truncate(path, 0)


def _gone(wal: Path, said: str) -> int | None:
    """The number of the file that comes next, if the server named it when it refused: it has nothing of it any more."""
    files = [path for path in wal.iterdir() if LOG_FILE.fullmatch(path.name)]
    comes_next = max((_goes_on_at(path) // SEGMENT_BYTES for path in files), default=None)
    return comes_next if comes_next in {Segment.of(name).number for name in _FILE_SAID.findall(said)} else None


def _step_over(wal: Path, timeline: Timeline, gone: int, first: int) -> None:
    """Have `pg_receivewal` go on with the first file that the server keeps: what lies between is gone either way, and a backup
    that is taken from now on needs nothing of it.
    """
    last, begins = (Segment(timeline.at(number * SEGMENT_BYTES), number) for number in (gone, first))
    (wal / f"{begins}.partial").touch(mode=0o600)
    print(
        f"the server has nothing any more from {last} up to {begins}, and nothing of that can be brought back: `earnest backup` "
        "now, so that what comes from now on can",
        flush=True,
    )


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
