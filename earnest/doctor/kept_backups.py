"""Looks at the folder of backups, where one is named: whether the newest state can be brought back from it, and how old it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from earnest.backups import restoring, taking, timelines
from earnest.backups.taking import WAL
from earnest.doctor.findings import Finding, fine, odd, wrong
from earnest.run.refusing import CannotStart

SUBJECT: Final = "backups"
AGE_MAX: Final = timedelta(days=2)
"""One a night, and one that failed."""


def look(backups: Path | None, *, now: datetime | None = None) -> Sequence[Finding]:
    """What is found there; nothing where other tools keep backups."""
    return [] if backups is None else [_found(backups, now or datetime.now(UTC))]


def _found(backups: Path, now: datetime) -> Finding:
    try:
        every = taking.bases(backups)
    except CannotStart as refusal:
        return odd(SUBJECT, str(refusal), "as it says; else nobody looks whether the newest state can be brought back")
    if not every:
        return odd(SUBJECT, f"there is none in {backups}", "`earnest backup`, and once a night from now on")
    timeline = timelines.newest([backups / WAL])
    leading_here = [one for one in every if timeline.has(one)]
    if not leading_here:
        return wrong(SUBJECT, "an earlier restore undid what all of them are of", "`earnest backup`")
    newest = leading_here[-1]
    try:
        restoring.check_whole(newest, backups)
    except CannotStart as gap:
        return wrong(SUBJECT, str(gap), "`earnest backup`, so that what comes from now on can be brought back")
    if not timeline.began_with(newest):
        taken = f"none was taken since the last restore: the next one would begin at {newest.at:%Y-%m-%dT%H:%M:%SZ}"
        return odd(SUBJECT, taken, "`earnest backup`")
    if now - newest.at > AGE_MAX:
        return odd(SUBJECT, f"the newest is of {newest.at:%Y-%m-%dT%H:%M:%SZ}", "`earnest backup`, once a night")
    return fine(SUBJECT, f"{len(leading_here)}, the newest of {newest.at:%Y-%m-%dT%H:%M:%SZ}")
