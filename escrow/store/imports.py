"""Looks up what the names of an import stand for, and keeps those that are new: its rows of external references."""

# ruff: noqa: S608 - only numbers of parameters are filled into statements

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from escrow.access import Actor
from escrow.agreement.commands import Command, ImportMilestones
from escrow.agreement.decisions.imports import ROWS_MAX
from escrow.agreement.state import Contract
from escrow.database import Record
from escrow.references import CONFLICTS, sayable
from escrow.stream import Beside, Fragment

_Found = Sequence[Record]


def _lookup(command: ImportMilestones, by: Actor) -> Fragment:
    names = [sayable(row.external_id) for row in command.rows[:ROWS_MAX]]
    return Fragment(_lookup_sql, (by.account_id, sayable(command.system), names))


def _lookup_sql(first: int) -> str:
    return f"""ARRAY(
        SELECT ROW(external_id, contract_id, milestone_id, url) FROM external_references
        WHERE account_id = ${first} AND system = ${first + 1} AND external_id = ANY (${first + 2}::text[]))"""


def _resolve(command: ImportMilestones, found: _Found, contract: Contract | None) -> ImportMilestones:
    """The command with what its names stand for: the milestone of the current plan, or what else has the name.

    The name of a milestone of an earlier revision is free again.
    """
    known = {name: (contract_id, milestone_id) for name, contract_id, milestone_id, _ in found}
    plan = {milestone.id for milestone in contract.milestones} if contract is not None else set()
    rows = []
    for row in command.rows:
        contract_id, milestone_id = known.get(row.external_id, (command.contract_id, ""))
        if milestone_id in plan:
            rows.append(replace(row, milestone_id=milestone_id))
        elif milestone_id is None or contract_id != command.contract_id:
            rows.append(replace(row, taken_by=milestone_id or contract_id))
        else:
            rows.append(row)
    return replace(command, rows=tuple(rows))


def _rows(command: ImportMilestones, found: _Found, by: Actor) -> Fragment | None:
    """The names that are new, and those that get another address or milestone."""
    known = {name: (milestone_id, url) for name, _, milestone_id, url in found}
    made: list[tuple[str, str, str | None]] = []
    changed: list[tuple[str, str, str | None]] = []
    for row in command.rows:
        if row.external_id not in known:
            made.append((row.external_id, row.milestone_id, row.url))
            continue
        milestone_id, url = known[row.external_id]
        if milestone_id != row.milestone_id or row.url not in (None, url):
            changed.append((row.external_id, row.milestone_id, row.url or url))
    if not (made or changed):
        return None
    columns = [[row[column] for row in rows] for rows in (made, changed) for column in range(3)]
    return Fragment(_rows_sql, (by.account_id, command.system, *columns))


def _rows_sql(first: int) -> str:
    account, system, *columns = (f"${number}" for number in range(first, first + 8))
    made = ", ".join(f"{column}::text[]" for column in columns[:3])
    changed = ", ".join(f"{column}::text[]" for column in columns[3:])
    return f"""
    named AS (
        INSERT INTO external_references (account_id, system, external_id, subject_id, milestone_id, url, contract_id)
        SELECT {account}, {system}, given.name, given.milestone_id, given.milestone_id, given.url, contract.id
        FROM contract, unnest({made}) AS given (name, milestone_id, url)
    ), renamed AS (
        UPDATE external_references AS reference
        SET subject_id = given.milestone_id, milestone_id = given.milestone_id, url = given.url
        FROM contract, unnest({changed}) AS given (name, milestone_id, url)
        WHERE reference.account_id = {account} AND reference.system = {system} AND reference.external_id = given.name
            AND reference.contract_id = contract.id
    )"""


BESIDE: Final[Mapping[type[Command], Beside[Any, Contract]]] = {
    ImportMilestones: Beside(lookup=_lookup, resolve=_resolve, rows=_rows, conflicts=CONFLICTS),
}
