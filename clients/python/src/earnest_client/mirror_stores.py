"""Where a mirror keeps its copy: what a store must do, and two that do it."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from earnest_client.api import ContractFields, MilestoneFields


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorUpdate:
    """Something to be written, all of it or nothing: the order is `contracts`, `milestones`, `gone`."""

    contracts: Sequence[ContractFields] = ()
    """To be written over what is there, by `id`."""
    milestones: Sequence[MilestoneFields] = ()
    gone: frozenset[str] = field(default_factory=frozenset)
    """Identifiers of contracts and milestones to be taken out."""
    cursor: str | None = None
    """To be kept with it; `None` leaves the one that is there."""


class MirrorStore(Protocol):
    """A copy of contracts and milestones with the cursor up to which it is true."""

    async def cursor(self) -> str | None:
        """The cursor that was written last; `None` at first."""

    async def ids(self) -> set[str]:
        """Every contract's and milestone's identifier."""

    async def write(self, update: MirrorUpdate) -> None:
        """Write it in one transaction. It may come twice."""


class MemoryMirror:
    """A copy that is lost with the process."""

    def __init__(self) -> None:
        self.contracts: dict[str, ContractFields] = {}
        self.milestones: dict[str, MilestoneFields] = {}
        self._cursor: str | None = None

    async def cursor(self) -> str | None:
        """The cursor."""
        return self._cursor

    async def ids(self) -> set[str]:
        """What is there."""
        return {*self.contracts, *self.milestones}

    async def write(self, update: MirrorUpdate) -> None:
        """Take it over."""
        self.contracts |= {contract.id: contract for contract in update.contracts}
        self.milestones |= {milestone.id: milestone for milestone in update.milestones}
        for gone in update.gone:
            self.contracts.pop(gone, None)
            self.milestones.pop(gone, None)
        self._cursor = update.cursor or self._cursor


TABLES = """
    CREATE TABLE IF NOT EXISTS place (id INTEGER PRIMARY KEY, cursor TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS contracts (id TEXT PRIMARY KEY, fields TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS milestones (id TEXT PRIMARY KEY, contract_id TEXT NOT NULL, fields TEXT NOT NULL);
"""


class SQLiteMirror:
    """A copy in an SQLite file; `fields` of its tables are JSON with the names of the API. Kill it whenever you like."""

    def __init__(self, path: Path | str) -> None:
        self._database = sqlite3.connect(path, check_same_thread=False, timeout=30)
        self._database.executescript(TABLES)
        self._lock = threading.Lock()
        """Taken in the thread that writes, which goes on when its task is cancelled: one transaction at a time."""

    async def cursor(self) -> str | None:
        """The cursor."""
        found = self._database.execute("SELECT cursor FROM place").fetchone()
        return str(found[0]) if found else None

    async def ids(self) -> set[str]:
        """What is there."""
        found = self._database.execute("SELECT id FROM contracts UNION ALL SELECT id FROM milestones")
        return {str(one) for (one,) in found}

    async def write(self, update: MirrorUpdate) -> None:
        """One transaction."""
        await asyncio.to_thread(self._write, update)

    def contracts(self) -> list[ContractFields]:
        """The contracts, in no order."""
        found = self._database.execute("SELECT fields FROM contracts")
        return [ContractFields.model_validate_json(fields) for (fields,) in found]

    def milestones(self, contract_id: str | None = None) -> list[MilestoneFields]:
        """The milestones of one contract, or all of them, in no order."""
        found = self._database.execute(
            "SELECT fields FROM milestones WHERE contract_id = coalesce(?, contract_id)", [contract_id]
        )
        return [MilestoneFields.model_validate_json(fields) for (fields,) in found]

    def _write(self, update: MirrorUpdate) -> None:
        contracts = [(one.id, one.model_dump_json(by_alias=True)) for one in update.contracts]
        milestones = [(one.id, one.contract_id, one.model_dump_json(by_alias=True)) for one in update.milestones]
        gone = [(one,) for one in update.gone]
        with self._lock, self._database as transaction:
            transaction.executemany("REPLACE INTO contracts VALUES (?, ?)", contracts)
            transaction.executemany("REPLACE INTO milestones VALUES (?, ?, ?)", milestones)
            transaction.executemany("DELETE FROM contracts WHERE id = ?", gone)
            transaction.executemany("DELETE FROM milestones WHERE id = ?", gone)
            if update.cursor is not None:
                transaction.execute("REPLACE INTO place VALUES (1, ?)", [update.cursor])
