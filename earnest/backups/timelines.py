"""Knows where a restore left the timeline of before: what was copied or written there later is on no way to the newest state."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from earnest.backups.taking import Base


@dataclass(frozen=True, slots=True)
class Timeline:
    """The newest one, with the positions in PostgreSQL's log at which it and those before it left theirs, by timeline."""

    number: int
    forks: Mapping[int, int]

    def has(self, base: Base) -> bool:
        """Whether all that a base was copied from lies on it, or before a fork that leads to it."""
        return all(number >= self.number or end <= self.forks.get(number, 0) for number, end in _copied_from(base))

    def began_with(self, base: Base) -> bool:
        """Whether a base was whole on the newest timeline itself: since the last restore."""
        return any(number >= self.number for number, _ in _copied_from(base)) or not self.forks

    def leads_through(self, number: int, position: int) -> bool:
        """Whether what a timeline has at a position is on the way to the newest state."""
        return number >= self.number or position <= self.forks.get(number, 0)


def newest(folders: Iterable[Path]) -> Timeline:
    """The newest of which a history is in one of the folders; without any it is the first."""
    histories = [
        path for folder in folders for path in folder.glob("*.history") if re.fullmatch("[0-9A-F]{8}", path.stem)
    ]
    if not histories:
        return Timeline(1, {})
    history = max(histories, key=lambda path: path.stem)
    rows = [row.split() for row in history.read_text().splitlines() if re.match(r"\d", row)]
    return Timeline(int(history.stem, 16), {int(row[0]): _position(row[1]) for row in rows})


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
