"""Reads what processes wrote of faults. What no blow explains is a fault of ours, also if whoever met it asked again and was
answered: a program that asks again sees none of it.

A process may be killed in the middle of a line; who is started after it writes on a line of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from asyncpg.exceptions import DiskFullError, PostgresIOError
from redis import exceptions as of_redis

from escrow import database
from escrow.payments.results import ProviderError, StoredFault


@dataclass(frozen=True, slots=True)
class Complaint:
    """A line that tells of a fault, and the name of the error; empty if it names none."""

    process: str
    place: int
    """Where the line begins, in bytes of the log."""
    event: str
    error: str
    is_warning: bool

    def __str__(self) -> str:
        return f"{self.process}, byte {self.place}: {self.event} {self.error}".rstrip()


def complaints(log: Path, said_else: Iterable[str] = ()) -> Iterator[Complaint]:
    """What a log tells of faults; other lines that it may have are `said_else`."""
    place, harmless = 0, {"", *said_else}
    with log.open("rb") as lines:
        for raw in lines:
            line = raw.decode(errors="replace").rstrip("\n")
            if line.startswith("timestamp="):
                found = _complaint(log.stem, place, line)
            else:
                found = None if line in harmless else Complaint(log.stem, place, line, "", is_warning=False)
            if found is not None:
                yield found
            place += len(raw)


def is_engines(complaint: Complaint) -> bool:
    """Whether an engine was away, or a connection to it was cut."""
    return complaint.error in AWAY


def is_full_disks(complaint: Complaint) -> bool:
    """Whether PostgreSQL had no room left."""
    return complaint.error in FULL


def is_slow(complaint: Complaint) -> bool:
    """Whether something took too long, as it does for a process that stood still meanwhile, and comes again."""
    is_over_time = complaint.is_warning and complaint.error == TimeoutError.__name__
    return is_over_time or (complaint.event, complaint.error) in TOOK_TOO_LONG


def is_providers(complaint: Complaint) -> bool:
    """Whether the provider did its worst, which somebody expected, or a person was told of it."""
    return complaint.event == LEFT_TO_A_PERSON or (complaint.is_warning and complaint.error in PROVIDERS)


def is_tools(complaint: Complaint) -> bool:
    """Whether a project tool kept a coupling waiting, of which its owner is told."""
    return complaint.event == A_COUPLING_WAITS


def _complaint(process: str, place: int, line: str) -> Complaint | None:
    try:
        entry = {name: _unquoted(value) for name, value in _PAIRS.findall(line)}
    except ValueError:  # whoever wrote it was killed before the line's end
        return None
    error = _named(entry)
    if not error and "traceback" not in entry and entry.get("level") not in ("error", "critical"):
        return None
    return Complaint(process, place, entry.get("event", line), error, is_warning=entry.get("level") == "warning")


def _unquoted(value: str) -> str:
    return str(json.loads(value)) if value.startswith('"') else value


def _named(entry: Mapping[str, str]) -> str:
    """The class of the error that an entry tells of, without its module."""
    if "traceback" in entry:
        names = _RAISED.findall(entry["traceback"])
        return str(names[-1]).rpartition(".")[2] if names else ""
    said = _SAID.match(entry.get("error", ""))
    return said[1] if said is not None else ""


def _names(*kinds: type[BaseException]) -> frozenset[str]:
    """Of these and of all that are of their kind."""
    found: set[type[BaseException]] = set()
    waiting = list(kinds)
    while waiting:
        kind = waiting.pop()
        found.add(kind)
        waiting += kind.__subclasses__()
    return frozenset(kind.__name__ for kind in found)


# What asyncpg says of a wrong argument is of the kind that it says of a connection that is gone, and a fault of ours.
AWAY: Final = _names(*database.AWAY, of_redis.ConnectionError, of_redis.TimeoutError) - {"DataError", "Error"}
FULL: Final = _names(DiskFullError, PostgresIOError)
PROVIDERS: Final = frozenset(one.__name__ for one in (ProviderError, StoredFault))
TOOK_TOO_LONG: Final = frozenset({("deadlines not applied, tried again later", "RuntimeError")})
LEFT_TO_A_PERSON: Final = "order left to a person"
A_COUPLING_WAITS: Final = "a coupling waits"

_PAIRS: Final = re.compile(r'([\w.]+)=("(?:[^"\\]|\\.)*"?|\S*)')
# The line below the innermost frame, which is indented; what it says may go on below it.
_RAISED: Final = re.compile(r"(?:\A|^ .*\n)([A-Za-z_][\w.]*)(?=:|$)", re.MULTILINE)
_SAID: Final = re.compile(r"([A-Za-z_]\w*):")
