"""Writes what steps of contracts changed, in one statement that hangs on their versions: of each contract all of it, or nothing.

What changed is told by comparing the contract before and after: rows that are other objects, balances, deadlines. Every
part joins the rows that the version check let through, and no row is touched by two parts, whose order is
undefined. So the statement needs no transaction around it, and its outcome is one fact.
"""

# ruff: noqa: S608 - only our own columns and numbers of parameters are filled into statements

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from operator import itemgetter
from typing import Any, Final

import orjson

from escrow import database, idempotency, ids, ledger, log, titles
from escrow.agreement.deadlines import Deadline, deadlines
from escrow.agreement.state import Contract
from escrow.aside import LONG_MILESTONES, aside_if
from escrow.bell import Topic
from escrow.log import Sealed
from escrow.store.mapping import Clocks
from escrow.store.read import Loaded
from escrow.store.shapes import Row
from escrow.store.tables import CONTRACTS, ORDERS, PARTS, Part, deadline_row, first_ends
from escrow.stream import Fragment


@dataclass(frozen=True, slots=True)
class Change:
    """What a step came to: the contract as it was loaded, as it is now, and the events between."""

    loaded: Loaded
    after: Contract
    sealed: Sequence[Sealed]
    clocks_before: Sequence[Deadline]
    clocks_after: Sequence[Deadline]

    @classmethod
    def of(
        cls,
        loaded: Loaded,
        after: Contract,
        sealed: Sequence[Sealed],
        *,
        clocks_before: Sequence[Deadline] | None = None,
    ) -> Change:
        """`clocks_before` are those of the contract as it was loaded, if whoever decided knows them already."""
        if clocks_before is None:
            clocks_before = deadlines(loaded.state) if loaded.state else ()
        return cls(loaded, after, sealed, clocks_before, deadlines(after))

    @property
    def topics(self) -> Sequence[Topic]:
        """What the bell rings for: the payments worker has something new to look at; a clock started, stopped or moved."""
        has_orders = any(True for _ in _changed(ORDERS, self.loaded.state, self.after))
        has_clocks = _ends(self.clocks_before) != _ends(self.clocks_after)
        return [Topic.ORDERS] * has_orders + [Topic.DEADLINES] * has_clocks


async def write(
    change: Change,
    *,
    owner: Hashable,
    key: Sequence[object] = idempotency.NO_KEY,
    beside: Fragment | None = None,
) -> bool:
    """Make what came of the owner's step the contract's new truth, if nobody changed it since it was loaded; answers whether.

    `key` is by `idempotency.arguments`; `beside` are CTEs that hang on the CTE `contract`. Fails with asyncpg's
    `UniqueViolationError` if another command used the key meanwhile, or wrote what `beside` would.
    """
    is_long = len(change.after.milestones) > LONG_MILESTONES
    statement, arguments = await aside_if(is_long, lambda: _statement(change, key, beside), owner=owner)
    return await database.fetch_row(statement, *arguments) is not None


def _statement(change: Change, key: Sequence[object], beside: Fragment | None) -> tuple[str, list[object]]:
    rows = _rows([change])
    (contract,) = rows.pop("contracts")
    is_new, has_key = change.loaded.state is None, key is not idempotency.NO_KEY
    shape = Shape(tuple(rows), is_new=is_new, has_key=has_key)
    values = (_values_of_new if is_new else _values_of_changed)(contract)
    arguments = [*values, *_arguments(rows), *(key if has_key else ())]
    if beside is not None:
        arguments += beside.arguments
    return statement_for(shape, beside.sql if beside is not None else None), arguments


async def write_all(changes: Sequence[Change]) -> set[str]:
    """The same for contracts that were loaded, each another one, all at once; answers the ids of those that were written.

    Whoever is changing one of them is not waited for: that one isn't written. If any can't be, none is.
    """
    rows = _rows(changes)
    contracts = _each(rows.pop("contracts"))
    statement = statement_for(Shape(tuple(rows), is_one=False))
    return {row["id"] for row in await database.fetch(statement, contracts, *_arguments(rows))}


# --- what changed ---------------------------------------------------------------------------------------------------


def _rows(changes: Sequence[Change]) -> dict[str, list[Row]]:
    """What `contracts` gets and each other table, in the order of `_TABLES`; those that get nothing are left out."""
    found: dict[str, list[Row]] = {table: [] for table in ("contracts", *_TABLES)}
    for change in changes:
        for table, rows in _rows_of(change):
            found[table].extend(rows)
    return {table: rows for table, rows in found.items() if rows}


def _rows_of(change: Change) -> Iterator[tuple[str, Iterable[Row]]]:
    before, after, sealed = change.loaded.state, change.after, change.sealed
    clocks = first_ends(after.id, change.clocks_before), first_ends(after.id, change.clocks_after)
    yield "contracts", [_contract_row(change, clocks[1])]
    for part in PARTS:
        yield part.table, _part_rows(part, before, after, clocks)
    yield "balances", _balance_rows(before, after)
    yield "stopped", _stopped(change)
    yield "deadlines", _started(change)
    yield "transfers", _transfer_rows(after.id, sealed)
    yield "events", log.event_rows(sealed)
    yield "texts", log.text_rows(sealed)
    yield "titles", titles.changed(before, after)


def _contract_row(change: Change, clocks: Clocks) -> Row:
    loaded, after, sealed = change.loaded, change.after, change.sealed
    last = sealed[-1] if sealed else None
    return CONTRACTS.row(after, after, clocks) | {
        "version": loaded.version + len(sealed),
        "last_hash": last.hash if last else loaded.last_hash,
        "last_event_at": last.recorded.at if last else loaded.last_event_at,
        "loaded_version": loaded.version,
        "loaded_erasures": loaded.erasures,
    }


def _changed(part: Part[Any], before: Contract | None, after: Contract) -> Iterator[Any]:
    """The objects of a table that are others than before."""
    known = part.held_by(before) if before is not None else {}
    return (one for name, one in part.held_by(after).items() if known.get(name) is not one)


def _part_rows(part: Part[Any], before: Contract | None, after: Contract, clocks: tuple[Clocks, Clocks]) -> list[Row]:
    """What a table gets: the objects that are others than before, and those that wait for another clock if rows tell of it."""
    known, held = part.held_by(before) if before is not None else {}, part.held_by(after)
    if held is known and not part.is_clocked:
        return []  # as most tables, most of the time
    was, now = clocks
    return [
        part.row(one, after, now)
        for name, one in held.items()
        if known.get(name) is not one or (part.is_clocked and was.get(name) != now.get(name))
    ]


def _balance_rows(before: Contract | None, after: Contract) -> list[Row]:
    """Absolute values: a sum over an event's several postings that no statement has to add up."""
    known = before.balances if before else {}
    return [
        {"account": account, "currency": currency, "contract_id": after.id, "balance_minor": value}
        for (account, currency), value in after.balances.items()
        if known.get((account, currency), 0) != value
    ]


def _stopped(change: Change) -> list[Row]:
    kept = {(clock.kind, clock.subject_id) for clock in change.clocks_after}
    return [
        deadline_row(change.after.id, clock)
        for clock in change.clocks_before
        if (clock.kind, clock.subject_id) not in kept
    ]


def _started(change: Change) -> list[Row]:
    """Clocks that started or moved."""
    known = _ends(change.clocks_before)
    return [
        deadline_row(change.after.id, clock)
        for clock in change.clocks_after
        if known.get((clock.kind, clock.subject_id)) != clock.due_at
    ]


def _ends(clocks: Sequence[Deadline]) -> dict[tuple[str, str], datetime]:
    return {(clock.kind, clock.subject_id): clock.due_at for clock in clocks}


def _transfer_rows(contract_id: str, sealed: Sequence[Sealed]) -> list[Row]:
    return [
        {"id": ids.new(ids.Kind.TRANSFER), "contract_id": contract_id} | leg.row()
        for leg in ledger.transfers(contract_id, sealed)
    ]


# --- the statement --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shape:
    """What a statement writes: of one contract or several, and whether the one is new or uses up a key."""

    tables: tuple[str, ...]
    """Those that get something beside `contracts`."""
    is_one: bool = True
    is_new: bool = False
    has_key: bool = False


def _arguments(rows: Mapping[str, list[Row]]) -> list[object]:
    """One for each table: JSON, or a list of it for `_FEW`."""
    return [_each(found) if table in _FEW else orjson.dumps(found).decode() for table, found in rows.items()]


def _each(rows: Sequence[Row]) -> list[str]:
    return [orjson.dumps(row).decode() for row in rows]


@cache
def statement_for(shape: Shape, beside: Callable[[int], str] | None = None) -> str:
    """The statement that writes to these tables and nothing else: what a command leaves alone costs it nothing. Commands
    have a few dozen shapes, which the driver keeps prepared.
    """
    head, count = _head(shape)
    parts = [head]
    parts += [_TABLES[table](f"${number}") for number, table in enumerate(shape.tables, start=count + 1)]
    count += len(shape.tables)
    if shape.has_key:
        parts.append(idempotency.store_sql(first=count + 1, guard="contract", contract_id="contract.id"))
        count += idempotency.PARAMETERS
    if beside is not None:
        parts.append(beside(count + 1))
    return f"WITH {','.join(parts)} SELECT id FROM contract"


_LOG: Final = {"version": "bigint", "last_hash": "text", "last_event_at": "timestamptz"}
_LOADED: Final = {"loaded_version": "bigint", "loaded_erasures": "int"}
_CHANGING: Final = (*CONTRACTS.updated, *_LOG)
_OF_NEW: Final = (*CONTRACTS.columns, *_LOG)
"""The columns of the row of a contract that is new, in the order of the statement's first parameters."""
_OF_CHANGED: Final = ("id", *_LOADED, *_CHANGING)
"""The same of one that is there."""
_values_of_new: Final[Callable[[Row], tuple[object, ...]]] = itemgetter(*_OF_NEW)
_values_of_changed: Final[Callable[[Row], tuple[object, ...]]] = itemgetter(*_OF_CHANGED)


def _head(shape: Shape) -> tuple[str, int]:
    """The CTEs up to `contract`, which has the ids of the contracts that are written, and how many parameters they have.

    The row of one contract is given column by column: as JSON it costs PostgreSQL several times as much, and it is the one
    row that every command writes.
    """
    if not shape.is_one:
        return _together("$1"), 1
    given = _OF_NEW if shape.is_new else _OF_CHANGED
    values = {name: f"${number}" for number, name in enumerate(given, start=1)}
    if shape.is_new:
        sql = f"INSERT INTO contracts ({', '.join(values)}) VALUES ({', '.join(values.values())})"
    else:
        sql = f"""UPDATE contracts SET {", ".join(f"{name} = {values[name]}" for name in _CHANGING)}
        WHERE id = {values["id"]} AND version = {values["loaded_version"]} AND erasures = {values["loaded_erasures"]}"""
    return f"contract AS ({sql} RETURNING id)", len(values)


def _together(parameter: str) -> str:
    given = {**_LOG, **_LOADED}
    columns = (
        f"{CONTRACTS.typed(('id', *CONTRACTS.updated))}, {', '.join(f'{name} {kind}' for name, kind in given.items())}"
    )
    assigned = ", ".join(f"{name} = given.{name}" for name in _CHANGING)
    return f"""free AS MATERIALIZED (
        SELECT given.* FROM {_few(parameter, columns)} JOIN contracts ON contracts.id = given.id
            AND contracts.version = given.loaded_version AND contracts.erasures = given.loaded_erasures
        ORDER BY given.id FOR NO KEY UPDATE OF contracts SKIP LOCKED
    ), contract AS (
        UPDATE contracts SET {assigned} FROM free AS given WHERE contracts.id = given.id RETURNING contracts.id)"""


def _few(parameter: str, columns: str) -> str:
    """Rows to be joined with a table: of an array PostgreSQL expects ten elements, and looks each up by its key; of JSON a
    hundred, for which it would rather read a table of middling size."""
    return f"unnest({parameter}::text[]) AS one CROSS JOIN LATERAL json_to_record(one::json) AS given ({columns})"


_FEW: Final = frozenset({"stopped"})


def _booked(parameter: str) -> str:
    return f"""
    booked AS (
        INSERT INTO balances (account, currency, contract_id, balance_minor)
        SELECT given.account, given.currency, contract.id, given.balance_minor
        FROM contract JOIN json_to_recordset({parameter}::json) AS given (
            account text, currency text, contract_id text, balance_minor bigint) ON given.contract_id = contract.id
        ON CONFLICT (contract_id, account, currency) DO UPDATE SET balance_minor = EXCLUDED.balance_minor
    )"""


def _stop(parameter: str) -> str:
    return f"""
    stopped AS (
        DELETE FROM deadlines USING contract, {_few(parameter, "contract_id text, kind text, subject_id text")}
        WHERE given.contract_id = contract.id AND (deadlines.contract_id, deadlines.kind, deadlines.subject_id)
            = (given.contract_id, given.kind, given.subject_id)
    )"""


def _start(parameter: str) -> str:
    return f"""
    started AS (
        INSERT INTO deadlines (contract_id, kind, subject_id, due_at)
        SELECT given.* FROM contract JOIN json_to_recordset({parameter}::json) AS given (
            contract_id text, kind text, subject_id text, due_at timestamptz) ON given.contract_id = contract.id
        ON CONFLICT (contract_id, kind, subject_id) DO UPDATE SET due_at = EXCLUDED.due_at
    )"""


def _move(parameter: str) -> str:
    return f"""
    moved AS (
        INSERT INTO transfers (contract_id, id, event_id, debit, credit, amount_minor, currency, occurred_at)
        SELECT given.* FROM contract JOIN json_to_recordset({parameter}::json) AS given (
            contract_id text, id text, event_id text, debit text, credit text, amount_minor bigint, currency text,
            occurred_at timestamptz) ON given.contract_id = contract.id
    )"""


_TABLES: Final[Mapping[str, Callable[[str], str]]] = {
    **{part.table: partial(part.upsert, "contract") for part in PARTS},
    "balances": _booked,
    "stopped": _stop,
    "deadlines": _start,
    "transfers": _move,
    "events": partial(log.append_sql, "contract"),
    "texts": log.words_sql,
    "titles": lambda parameter: f"titled AS ({titles.keep_sql(parameter, guard='contract')})",
}
"""The CTE that writes rows of a table, of the parameter that gives them."""
