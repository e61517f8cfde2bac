"""Writes what a step of a contract changed, in one statement that hangs on the contract's version: all of it, or nothing.

What changed is told by comparing the contract before and after: rows that are other objects, balances, deadlines. Every
part selects from the row that the version check let through, and no row is touched by two parts, whose order is
undefined. So the statement needs no transaction around it, and its outcome is one fact.
"""

# ruff: noqa: S608 - only our own columns and numbers of parameters are filled into statements

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple
from functools import cache
from typing import Any, Final

import orjson

from escrow import database, idempotency, ids, ledger, log, titles
from escrow.agreement.deadlines import deadlines
from escrow.agreement.state import Contract
from escrow.log import Sealed
from escrow.store.mapping import Clocks
from escrow.store.read import Loaded
from escrow.store.shapes import Row
from escrow.store.tables import CONTRACTS, ORDERS, PARTS, Part, deadline_row, next_clocks
from escrow.stream import Fragment


async def write(
    loaded: Loaded,
    after: Contract,
    sealed: Sequence[Sealed],
    *,
    key: Sequence[object] = idempotency.NO_KEY,
    beside: Fragment | None = None,
) -> bool:
    """Make `after` and its events the contract's new truth, if nobody changed it since it was loaded; answers whether.

    `key` is by `idempotency.arguments`; `beside` are CTEs that hang on the CTE `contract`. Fails with asyncpg's
    `UniqueViolationError` if another command used the key meanwhile, or wrote what `beside` would.
    """
    before = loaded.state
    last = sealed[-1] if sealed else None
    clocks_before, clocks_after = next_clocks(before), next_clocks(after)
    row = CONTRACTS.row(after, after, clocks_after) | {
        "version": loaded.version + len(sealed),
        "last_hash": last.hash if last else loaded.last_hash,
        "last_event_at": last.recorded.at if last else loaded.last_event_at,
    }
    clocks = (clocks_before, clocks_after)
    changed = {part: rows for part in PARTS if (rows := _rows(part, before, after, clocks))}
    titled = titles.changed(before, after)
    arguments = [
        *(row[name] for name in _COLUMNS),
        *(orjson.dumps(rows).decode() for rows in changed.values()),
        *_balances(before, after),
        *_deadlines(before, after),
        *_transfers(after.id, sealed),
        *log.append_arguments(after.id, sealed),
        *key,
        *titles.arguments(titled),
    ]
    if before is not None:
        arguments += [loaded.version, loaded.erasures]
    if beside is not None:
        arguments += beside.arguments
    shape = (tuple(changed), bool(titled))
    statement = statement_for(*shape, new=before is None, beside=beside.sql if beside is not None else None)
    return await database.fetch_row(statement, *arguments) is not None


def changes_orders(before: Contract | None, after: Contract) -> bool:
    """Whether the payments worker has something new to look at."""
    return any(True for _ in _changed(ORDERS, before, after))


# --- what changed ---------------------------------------------------------------------------------------------------


def _changed(part: Part[Any], before: Contract | None, after: Contract) -> Iterator[Any]:
    """The objects of a table that are others than before."""
    known = part.held_by(before) if before is not None else {}
    return (one for name, one in part.held_by(after).items() if known.get(name) is not one)


def _rows(part: Part[Any], before: Contract | None, after: Contract, clocks: tuple[Clocks, Clocks]) -> list[Row]:
    """What a table gets: the objects that are others than before, and those that wait for another clock if rows tell of it."""
    known = part.held_by(before) if before is not None else {}
    was, now = clocks
    return [
        part.row(one, after, now)
        for name, one in part.held_by(after).items()
        if known.get(name) is not one or (part.is_clocked and was.get(name) != now.get(name))
    ]


def _balances(before: Contract | None, after: Contract) -> tuple[list[object], ...]:
    """Accounts, currencies and absolute values: a sum over an event's several postings that no statement has to add up."""
    known = before.balances if before else {}
    changed = [(*account, value) for account, value in after.balances.items() if known.get(account, 0) != value]
    return _arrays(changed, 3)


def _deadlines(before: Contract | None, after: Contract) -> tuple[list[object], ...]:
    """Kinds and subjects that stopped; kinds, subjects and times that started or moved."""
    old = {(row["kind"], row["subject_id"]): row["due_at"] for row in _running(before)}
    new = {(row["kind"], row["subject_id"]): row["due_at"] for row in _running(after)}
    gone = [clock for clock in old if clock not in new]
    moved = [(*clock, due_at) for clock, due_at in new.items() if old.get(clock) != due_at]
    return (*_arrays(gone, 2), *_arrays(moved, 3))


def _running(contract: Contract | None) -> list[Row]:
    return [deadline_row(contract.id, clock) for clock in deadlines(contract)] if contract else []


def changes_deadlines(before: Contract | None, after: Contract) -> bool:
    """Whether a clock started, stopped or moved."""
    return _running(before) != _running(after)


def _transfers(contract_id: str, sealed: Sequence[Sealed]) -> tuple[list[object], ...]:
    legs = ledger.transfers(contract_id, sealed)
    return _arrays([(ids.new(ids.Kind.TRANSFER), *astuple(leg)) for leg in legs], 7)


def _arrays(rows: Sequence[tuple[object, ...]], width: int) -> tuple[list[object], ...]:
    """Rows as columns, also if there are none."""
    return tuple([row[column] for row in rows] for column in range(width))


# --- the statement --------------------------------------------------------------------------------------------------

_COLUMNS: Final = (*CONTRACTS.columns, "version", "last_hash", "last_event_at")
_FIXED: Final = tuple(name for name in CONTRACTS.columns if name not in CONTRACTS.updated)


class _Numbers:
    """Numbers of parameters, in the order in which `write` gives its arguments."""

    def __init__(self) -> None:
        self.last = 0

    def take(self, count: int) -> list[str]:
        first, self.last = self.last + 1, self.last + count
        return [f"${number}" for number in range(first, self.last + 1)]


@cache
def statement_for(
    changed: tuple[Part[Any], ...], titled: bool, *, new: bool, beside: Callable[[int], str] | None = None
) -> str:
    """The statement that writes to these tables beside the contract, the books and the log: what a command leaves alone
    costs it nothing. Commands have a few dozen shapes, which the driver keeps prepared.
    """
    numbers = _Numbers()
    contract = dict(zip(_COLUMNS, numbers.take(len(_COLUMNS)), strict=True))
    parts = [
        *(
            part.upsert(guard="contract", parameter=number)
            for part, number in zip(changed, numbers.take(len(changed)), strict=True)
        ),
        _BOOKED.format(*numbers.take(3)),
        _STOPPED.format(*numbers.take(2)),
        _STARTED.format(*numbers.take(3)),
        _MOVED.format(*numbers.take(7)),
        log.append_sql(guard="contract", first=numbers.last + 1),
    ]
    numbers.take(log.APPEND_PARAMETERS)
    parts.append(idempotency.store_sql(first=numbers.last + 1, guard="contract", contract_id="contract.id"))
    numbers.take(idempotency.PARAMETERS)
    if titled:
        parts.append(f"titled AS ({titles.keep_sql(first=numbers.last + 1, guard='contract')})")
        numbers.take(titles.PARAMETERS)
    if new:
        head = f"INSERT INTO contracts ({', '.join(contract)}) VALUES ({', '.join(contract.values())}) RETURNING id"
    else:
        assigned = ", ".join(f"{name} = {number}" for name, number in contract.items() if name not in _FIXED)
        # Columns that never change have a parameter all the same, so that both statements take the same arguments.
        unused = " AND ".join(f"contracts.{name} = {contract[name]}" for name in _FIXED)
        version, erasures = numbers.take(2)
        same = f"{unused} AND version = {version} AND erasures = {erasures}"
        head = f"UPDATE contracts SET {assigned} WHERE {same} RETURNING id"
    if beside is not None:
        parts.append(beside(numbers.last + 1))
    return f"WITH contract AS ({head}), {','.join(parts)} SELECT id FROM contract"


_BOOKED: Final = """
    booked AS (
        INSERT INTO balances (account, currency, contract_id, balance_minor)
        SELECT given.account, given.currency, contract.id, given.minor
        FROM contract, unnest({}::text[], {}::text[], {}::bigint[]) AS given (account, currency, minor)
        ON CONFLICT (account, currency) DO UPDATE SET balance_minor = EXCLUDED.balance_minor
    )"""

_STOPPED: Final = """
    stopped AS (
        DELETE FROM deadlines USING contract, unnest({}::text[], {}::text[]) AS gone (kind, subject_id)
        WHERE (deadlines.contract_id, deadlines.kind, deadlines.subject_id) = (contract.id, gone.kind, gone.subject_id)
    )"""

_STARTED: Final = """
    started AS (
        INSERT INTO deadlines (contract_id, kind, subject_id, due_at)
        SELECT contract.id, given.* FROM contract, unnest({}::text[], {}::text[], {}::timestamptz[]) AS given
        ON CONFLICT (contract_id, kind, subject_id) DO UPDATE SET due_at = EXCLUDED.due_at
    )"""

_MOVED: Final = """
    moved AS (
        INSERT INTO transfers (contract_id, id, event_id, debit, credit, amount_minor, currency, occurred_at)
        SELECT contract.id, given.* FROM contract, unnest(
            {}::text[], {}::text[], {}::text[], {}::text[], {}::bigint[], {}::text[], {}::timestamptz[]) AS given
    )"""
