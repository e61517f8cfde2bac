"""Tells whose a folder of backups is: a cluster of PostgreSQL has an identifier, and every file of its log bears it.

A copy keeps it, as do what was restored and a standby that took over; what is made anew has another. All name the files of
their logs alike, so a folder can keep those of one alone.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

from earnest.backups import taking
from earnest.backups.restoring import CONTROL, LOG_FILE
from earnest.backups.taking import WAL
from earnest.run.refusing import CannotStart

_IN_CONTROL: Final = struct.Struct("=q")
"""What `pg_control` begins with, in the machine's own order of bytes, as all files of PostgreSQL are."""

_IN_LOG: Final = struct.Struct("=2xH20xq")
"""What a file of the log begins with: flags among what is passed over, then the identifier."""

_IS_SAID: Final = 0x0002
"""The flag of a beginning that has the identifier; a file that `pg_receivewal` has just made is all zeros."""


def check_is_of(backups: Path, identifier: int | None, whose: str) -> None:
    """Refuse with `CannotStart` a folder that has the log or copies of another cluster; `None` is one that is yet to be made.

    Its server could hand on nothing that has the name of what is there already, and would try that for ever.
    """
    if of_backups(backups) not in (None, identifier):
        raise CannotStart(
            f"{backups} has the backups of another database than {whose}, and a folder has those of one: name an empty one, "
            "or bring that database back from there with `earnest restore`"
        )


def of_backups(backups: Path) -> int | None:
    """The identifier of the cluster whose log is kept there, or whose copies; `None` where nothing says so. Refuses with
    `CannotStart` where that can't be told."""
    taking.check_readable(backups)
    for path in sorted((backups / WAL).glob("*"), reverse=True):
        if LOG_FILE.fullmatch(path.name) and (said := _read(path, _IN_LOG)) is not None and said[0] & _IS_SAID:
            return int(said[1])
    copies = (of_data(base.path) for base in reversed(taking.bases(backups)))
    return next((identifier for identifier in copies if identifier is not None), None)


def of_data(data: Path) -> int | None:
    """The identifier of the cluster in this folder; `None` if there is none."""
    said = _read(data / CONTROL, _IN_CONTROL)
    return int(said[0]) if said is not None else None


def _read(path: Path, layout: struct.Struct) -> tuple[int, ...] | None:
    """What a file begins with; `None` if it is away, or shorter."""
    try:
        with path.open("rb") as file:
            begins = file.read(layout.size)
    except FileNotFoundError:
        return None
    return layout.unpack(begins) if len(begins) == layout.size else None
