"""Takes a base backup and checks it, and knows which there are."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from earnest.backups import programs
from earnest.engines.lock import DirectoryLock
from earnest.run.refusing import CannotStart

WAL: Final = "wal"
SLOT: Final = "earnest_backup"
LABEL: Final = "backup_label"
"""The file in which a base says where it begins."""
_NAMED: Final = "base-%Y%m%dT%H%M%SZ"
DRAFT: Final = "base.part"
"""What is no backup: one that isn't whole yet, or is being deleted."""
_LOCK: Final = "lock"
_AT_IT: Final = "Process {holder} takes a backup into {folder} just now: begin again when it is done"


@dataclass(frozen=True, slots=True)
class Base:
    """One base backup: whole since `at`, so that any later moment can be restored from it."""

    path: Path
    at: datetime


@contextmanager
def alone(backups: Path) -> Iterator[None]:
    """Keep everybody else from taking backups into the folder and deleting them there; refuses if somebody is at it."""
    make_folder(backups)
    with ExitStack() as held:
        with suppress(OSError):  # a share that knows no locks takes backups as well
            held.enter_context(DirectoryLock(backups / _LOCK, refusal=_AT_IT))
        yield


def take(database_url: str, backups: Path) -> Base:
    """Copy the whole server by `pg_basebackup` while it works, and have `pg_verifybackup` check every file; needs to be `alone`.

    The copy has all that it needs to start by itself. Refuses with `CannotStart`, leaving nothing half done behind.
    """
    make_folder(backups)
    draft = backups / DRAFT
    shutil.rmtree(draft, ignore_errors=True)
    copying = ("--pgdata", str(draft), "--wal-method=stream", "--checkpoint=fast")
    url, environ = programs.for_libpq(database_url), programs.environment(database_url)
    programs.run("pg_basebackup", "--dbname", url, *copying, environ=environ)
    check(draft)
    at = (datetime.now(UTC) + timedelta(seconds=1)).replace(
        microsecond=0
    )  # a moment just before it was whole is none of its own
    path = backups / at.strftime(_NAMED)
    if path.exists():
        shutil.rmtree(path)
    draft.rename(path)
    return Base(path, at)


def check(base: Path) -> None:
    """Have `pg_verifybackup` compare every file with what was written down when it was copied."""
    programs.run("pg_verifybackup", "--quiet", str(base))


def make_folder(backups: Path) -> None:
    """The folder, for its owner alone: all that people ever wrote is in it."""
    try:
        backups.mkdir(mode=0o700, parents=True, exist_ok=True)
        (backups / WAL).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise CannotStart(f"{backups} can't be used for backups: {error.strerror}") from None


def check_readable(backups: Path) -> None:
    """Refuse with `CannotStart` a folder that is there and lets nobody like us look into it: `glob` takes it for an empty one."""
    for folder in (backups, backups / WAL):
        try:
            next(folder.iterdir(), None)
        except FileNotFoundError:
            return
        except OSError as error:
            raise CannotStart(
                f"{folder} can't be read ({error.strerror}): begin again as a user who may, or let this one read it"
            ) from None


def bases(backups: Path) -> Sequence[Base]:
    """All bases, the oldest first. Refuses with `CannotStart` where that can't be told."""
    check_readable(backups)
    found = []
    for path in sorted(backups.glob("base-*")):
        try:
            at = datetime.strptime(path.name, _NAMED).replace(tzinfo=UTC)
        except ValueError:
            continue
        found.append(Base(path, at))
    return found


def first_wal(base: Base) -> str:
    """The first file of the log that a base needs, as its label says."""
    label = (base.path / LABEL).read_text()
    return label.partition("(file ")[2].partition(")")[0]
