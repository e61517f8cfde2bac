"""Deletes the backups that are too old, and the log that only those needed."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from earnest.backups import programs, taking, timelines
from earnest.backups.taking import DRAFT, WAL, Base


def forget(backups: Path, *, keep: int) -> Sequence[Base]:
    """Delete what is older than the newest `keep` bases that lead to the newest state; answers which bases went.

    One that a restore undid counts for none of those, and goes when it is older than they are.
    """
    every = taking.bases(backups)
    timeline = timelines.newest([backups / WAL])
    kept = [base for base in every if timeline.has(base)][-keep:]
    old = [base for base in every if kept and base.at < kept[0].at]
    for base in old:
        _delete(base, backups)
    if old:
        _forget_log(backups, needed_by=[base for base in every if base not in old])
    return old


def _delete(base: Base, backups: Path) -> None:
    """It is no backup any more before the first of its files is gone: whoever ends us leaves no half of one."""
    draft = backups / DRAFT
    shutil.rmtree(draft, ignore_errors=True)
    base.path.rename(draft)
    shutil.rmtree(draft)


def _forget_log(backups: Path, *, needed_by: Sequence[Base]) -> None:
    """Delete what was written before all of them: `pg_archivecleanup` compares files by number, whatever timeline they are of."""
    first = min((taking.first_wal(base) for base in needed_by), key=_number)
    programs.run("pg_archivecleanup", str(backups / WAL), first)


def _number(name: str) -> str:
    """Which file of the log it is since the beginning, without its timeline, so that it can be compared."""
    return name[8:]
