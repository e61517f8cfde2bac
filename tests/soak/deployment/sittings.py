"""Keeps a deployment between two soaks, so that many commands can be played on the same books in several sittings.

Each sitting has people, keys and endpoints of its own. What those of former sittings left stays in the tables and in the
provider's books: it is audited and reconciled again in the end of each.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from tests.soak.deployment.tallies import Figures
from tests.stand_ins.stripe import keeping
from tests.stand_ins.stripe.books import Books


class Unfinished(Exception):
    """A sitting was broken off or went wrong: its books say nothing that could be judged any more."""


@dataclass(frozen=True, slots=True)
class Sittings:
    """All of them, in a folder that stays."""

    folder: Path

    @property
    def engines(self) -> Path:
        """Where PostgreSQL's data is."""
        return self.folder / "engines"

    def begin(self) -> Path:
        """Make the folder of another one, where its processes write their logs. Raises `Unfinished`."""
        logs = self.folder / f"sitting-{len(self._ended()) + 1}"
        if logs.exists():
            raise Unfinished(f"{logs} was broken off or went wrong: look there why, and begin another folder")
        logs.mkdir(parents=True)
        for folder in (self.folder, logs):
            folder.chmod(0o711)  # as root, PostgreSQL runs as another user and must be able to pass
        return logs

    def take_up(self, books: Books) -> None:
        """The provider's books, as they were in the end of the last one."""
        keeping.load(books, self._books)

    def end(self, command: str, figures: Figures, books: Books) -> None:
        """It went well: keep what the next one needs, and what is to be told of it."""
        keeping.save(books, self._books)
        part = self._file.with_suffix(".part")
        part.write_text(json.dumps([*self._ended(), {"command": command, "figures": _kept(figures)}], indent=1))
        part.replace(self._file)

    def lines(self) -> list[str]:
        """For people: the command of each that went well, and what all of them come to."""
        ended = self._ended()
        whole = Figures.together(_figures(one["figures"]) for one in ended)
        return [f"{len(ended)} sittings on the same books:", *(one["command"] for one in ended), *whole.lines()]

    def _ended(self) -> list[dict[str, Any]]:
        return json.loads(self._file.read_text()) if self._file.exists() else []

    @property
    def _file(self) -> Path:
        return self.folder / "sittings.json"

    @property
    def _books(self) -> Path:
        return self.folder / "stripe.json"


def _kept(figures: Figures) -> dict[str, Any]:
    return {one.name: getattr(figures, one.name) for one in fields(figures)}


def _figures(kept: dict[str, Any]) -> Figures:
    figures = Figures(**kept)
    return replace(figures, counts=Counter(figures.counts), blows=Counter(figures.blows))
