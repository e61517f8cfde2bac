"""Knows where a restore left the timeline of before: what was copied or written there later is on no way to the newest state."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from earnest.backups.taking import Base


@dataclass(frozen=True, slots=True)
class Timeline:
    """The newest one, with the positions in PostgreSQL's log at which it and those before it left theirs, by timeline."""

    number: int
    forks: Mapping[int, int]
    undone: tuple[datetime, datetime] | None = None
    """The moment to which the restore went back that began it, and about when that was done; `None` if none did."""

    def has(self, base: Base) -> bool:
        """Whether all that a base was copied from lies on it, or before a fork that leads to it."""
        return all(number >= self.number or end <= self.forks.get(number, 0) for number, end in _copied_from(base))

    def began_with(self, base: Base) -> bool:
        """Whether a base was whole on the newest timeline itself: since the last restore."""
        return any(number >= self.number for number, _ in _copied_from(base)) or not self.forks

    def leads_through(self, number: int, position: int) -> bool:
        """Whether what a timeline has at a position is on the way to the newest state."""
        return number >= self.number or position <= self.forks.get(number, 0)

    def at(self, position: int) -> int:
        """The timeline on which the server of the newest one has what was written at a position."""
        return min((number for number, fork in self.forks.items() if position < fork), default=self.number)


def newest(folders: Iterable[Path]) -> Timeline:
    """The newest of which a history is in one of the folders; without any it is the first."""
    histories = [
        path for folder in folders for path in folder.glob("*.history") if re.fullmatch("[0-9A-F]{8}", path.stem)
    ]
    if not histories:
        return Timeline(1, {})
    history = max(histories, key=lambda path: path.stem)
    rows = [row.split(maxsplit=2) for row in history.read_text().splitlines() if re.match(r"\d", row)]
    forks = {int(row[0]): _position(row[1]) for row in rows}
    return Timeline(int(history.stem, 16), forks, _undone(" ".join(rows[-1][2:]), history) if rows else None)


def _undone(why: str, history: Path) -> tuple[datetime, datetime] | None:
    """By what PostgreSQL says of the fork, the time of the first commit that was undone or of the last that wasn't, and by when
    that was written down.
    """
    try:
        moment = datetime.fromisoformat(why.partition(" ")[2])
    except ValueError:
        return None
    done = datetime.fromtimestamp(history.stat().st_mtime, UTC)
    return (moment, done) if moment.tzinfo is not None else None


def _copied_from(base: Base) -> list[tuple[int, int]]:
    """Timelines, each with the position at which the base was whole; none without a manifest, as `pg_verifybackup` refuses it."""
    try:
        ranges = json.loads((base.path / "backup_manifest").read_text())["WAL-Ranges"]
    except FileNotFoundError:
        return []
    return [(one["Timeline"], _position(one["End-LSN"])) for one in ranges]


def _position(text: str) -> int:
    """A position as PostgreSQL prints it: two hexadecimal numbers of 32 bits."""
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) + int(low, 16)
