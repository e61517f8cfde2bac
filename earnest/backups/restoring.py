"""Makes a data folder out of a base backup and tells PostgreSQL up to which moment it is to go on."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from earnest.backups import taking, timelines
from earnest.backups.taking import WAL, Base
from earnest.backups.unfinished import RECOVERY_SIGNAL
from earnest.engines.processes import write_private
from earnest.run.refusing import CannotStart

RECOVERY_SETTINGS: Final = (
    "restore_command",
    "recovery_target_time",
    "recovery_target_action",
    "recovery_end_command",
)
"""What is told for the time of the recovery alone."""

_SETTINGS: Final = "postgresql.auto.conf"
_AFTERWARDS: Final = f"{_SETTINGS}.restored"
"""The settings without what is told for the recovery."""

_SEGMENT_NAME_LENGTH: Final = 24
SEGMENT_BYTES: Final = 16 * 1024 * 1024
"""Of a file of the log, as PostgreSQL makes them unless a cluster was made with others."""
_BEGINNING_BYTES: Final = 16
"""Of a file of the log that something was written to: they aren't all zero."""
_SEGMENTS: Final = 2**32 // SEGMENT_BYTES
LOG_FILE: Final = re.compile(r"[0-9A-F]{24}(\.partial)?")
"""The name of a file of the log, be it one that wasn't finished."""
CONTROL: Final = Path("global", "pg_control")
"""Without it PostgreSQL starts on no folder."""


def check_has_come(moment: datetime, *, now: datetime) -> None:
    """Refuse with `CannotStart` a moment that lies ahead: PostgreSQL would only find out once it had recovered everything."""
    if moment > now:
        raise CannotStart(
            f"--to names {moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}, and that is yet to come: it is {now:%Y-%m-%dT%H:%M:%SZ}. "
            "A moment without a zone is UTC; another zone is told so: 2026-11-29T08:00:00+01:00"
        )


def choose(backups: Path, until: datetime | None, *, written: Path | None = None) -> Base:
    """The newest base from before a moment; refuses with `CannotStart` if there is none.

    One that an earlier restore left behind doesn't count. `written` is where a server has what it hasn't handed on.
    """
    every = taking.bases(backups)
    if not every:
        raise CannotStart(f"There is no backup in {backups}: `earnest backup --to {backups}` makes one")
    fitting = [one for one in every if until is None or one.at <= until]
    if not fitting:
        raise CannotStart(
            f"The oldest backup in {backups} is of {every[0].at:%Y-%m-%dT%H:%M:%SZ}: no moment before it can be restored"
        )
    timeline = timelines.newest([backups / WAL, *([written] if written is not None else [])])
    leading_here = [one for one in fitting if timeline.has(one)]
    if not leading_here:
        raise CannotStart(
            f"The backups in {backups} of before that moment are of a time that an earlier restore undid: choose a later moment"
        )
    return leading_here[-1]


def remark(backups: Path, until: datetime | None) -> str | None:
    """What whoever wants a moment back should know that a former restore undid: there is no way to it; `None` for all others.

    Refuses with `CannotStart` a folder that can't be read.
    """
    taking.check_readable(backups)
    undone = timelines.newest([backups / WAL]).undone
    if until is None or undone is None or not undone[0] < until < undone[1]:
        return None
    began, ended = (f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for moment in undone)
    return f"nothing of {began} to {ended} comes back: a former restore undid that, and this one goes back to where it went"


def check_whole(base: Base, backups: Path, *, coming: Sequence[Path] = ()) -> None:
    """Refuse with `CannotStart` where a file of the log is missing between a base and the last one that was kept, or wasn't kept
    to its end: PostgreSQL takes a gap for the end, and would bring back less than there is without a word.

    `coming` are files that are about to be kept. What `pg_verifybackup` will refuse, and files of another size, are passed over.
    """
    every = [*(backups / WAL).glob("*"), *(base.path / "pg_wal").glob("*"), *coming]
    kept = [path for path in every if LOG_FILE.fullmatch(path.name)]
    is_usual = all(path.stat().st_size == SEGMENT_BYTES for path in kept if not path.suffix)
    if not (is_usual and (base.path / taking.LABEL).exists()):
        return
    timeline = timelines.newest([backups / WAL])
    leading = [path for path in kept if timeline.leads_through(*_begins_at(path))]
    whole = {Segment.of(path.name).number for path in leading if not path.suffix}
    first = Segment.of(taking.first_wal(base)).number
    last = max((Segment.of(path.name).number for path in leading), default=first)
    missing = next((number for number in range(first, last) if number not in whole), None)
    if missing is not None:
        raise CannotStart(
            f"In {backups / WAL} the log that follows {base.path.name} has a gap: {Segment(timeline.number, missing)}. Nothing "
            "after it can be brought back from there: put that file there, or say with --to which moment before it you want"
        )


def _begins_at(path: Path) -> tuple[int, int]:
    """The timeline and the position with which a file of the log begins."""
    segment = Segment.of(path.name)
    return segment.timeline, segment.number * SEGMENT_BYTES


def prepare(base: Base, backups: Path, data: Path, until: datetime | None) -> None:
    """Copy a base, once it was checked, to a place where nothing is, and have PostgreSQL recover in it when it starts.

    PostgreSQL starts on no part of it: what says that it has to recover comes first, and the file that it reads first comes last.
    What it is told for the recovery it forgets before it takes writes.
    """
    if data.exists() and any(data.iterdir()):
        raise CannotStart(f"{data} isn't empty: move it away first, and keep it until everything was looked at")
    taking.check(base.path)
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    data.chmod(0o700)
    write_private(data / RECOVERY_SIGNAL, "")
    shutil.copytree(base.path, data, ignore=shutil.ignore_patterns(CONTROL.name), dirs_exist_ok=True)
    data.chmod(0o700)
    told = {
        "restore_command": fetch_command(backups / WAL),
        "recovery_target_action": "promote",
        # A standby that is copied from this server later would take what it was told for its own, and promote itself.
        "recovery_end_command": f"mv -f {_AFTERWARDS} {_SETTINGS}",
    }
    if until is not None:
        told["recovery_target_time"] = until.astimezone(UTC).isoformat()
    afterwards = _without_former_recovery((data / _SETTINGS).read_text())
    write_private(data / _AFTERWARDS, afterwards)
    write_private(
        data / _SETTINGS, afterwards + "".join(f"{name} = {_quoted(value)}\n" for name, value in told.items())
    )
    shutil.copy2(base.path / CONTROL, data / CONTROL)


def newest_log(data: Path, backups: Path) -> list[tuple[Path, Path]]:
    """What a server that has stopped had written and not handed on, each with its place beside the backups."""
    written = data / "pg_wal"
    every = [(path, backups / WAL / path.name) for path in (sorted(written.iterdir()) if written.is_dir() else ())]
    return [(path, kept) for path, kept in every if _is_log(path) and not kept.exists()]


def keep_newest_log(newest: Sequence[tuple[Path, Path]]) -> None:
    """Put it there. The last file of it isn't full: if that server goes on, it hands on another one under this name."""
    for path, kept in newest:
        shutil.copy2(path, kept)


def _without_former_recovery(settings: str) -> str:
    """The base may be of a server that ended before it had forgotten what it was told for its own recovery."""
    lines = settings.splitlines(keepends=True)
    return "".join(line for line in lines if line.partition("=")[0].strip() not in RECOVERY_SETTINGS)


def _is_log(path: Path) -> bool:
    return path.is_file() and (len(path.name) == _SEGMENT_NAME_LENGTH or path.suffix == ".history")


def keep_command(wal: Path) -> str:
    """PostgreSQL's `archive_command`: one file of its log into the folder, on disk before it counts, never over another one.

    So is its name, where the folder can be told to be (a share may refuse).
    """
    folder = shlex.quote(str(wal)).replace("%", "%%")
    return (
        f"test -f {folder}/%f && cmp -s %p {folder}/%f || "
        f"test ! -f {folder}/%f && cp %p {folder}/%f.copy && sync {folder}/%f.copy && mv {folder}/%f.copy {folder}/%f && "
        f"{{ sync {folder} || true; }}"
    )


def fetch_command(wal: Path) -> str:
    """PostgreSQL's `restore_command`: a file of the log out of the folder, be it one that `pg_receivewal` hadn't finished.

    PostgreSQL takes a code of up to 125 for the end of the log, and every higher one for a failure. So it ends with 1 only where
    neither file is there, and with 126 where the folder can't be read or a copy fails: else less would come back without a word.
    `pg_receivewal` fills a file with zeros first, for which there may have been no room: nothing is in it then, and PostgreSQL
    refuses a file of another size.
    """
    folder = shlex.quote(str(wal)).replace("%", "%%")
    return (
        f"test -r {folder} -a -x {folder} || exit 126; "
        f'if test -e {folder}/%f; then cp {folder}/%f "%p" || exit 126; '
        f"elif test -s {folder}/%f.partial && ! cmp -s -n {_BEGINNING_BYTES} {folder}/%f.partial /dev/zero; then "
        f'cp {folder}/%f.partial "%p" || exit 126; '
        "else exit 1; fi"
    )


@dataclass(frozen=True, slots=True)
class Segment:
    """A file of the log by its name: a timeline, and which one it is since the beginning."""

    timeline: int
    number: int

    @classmethod
    def of(cls, name: str) -> Self:
        """By its 24 hexadecimal digits."""
        return cls(int(name[:8], 16), int(name[8:16], 16) * _SEGMENTS + int(name[16:_SEGMENT_NAME_LENGTH], 16))

    def __str__(self) -> str:
        return f"{self.timeline:08X}{self.number // _SEGMENTS:08X}{self.number % _SEGMENTS:08X}"


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
