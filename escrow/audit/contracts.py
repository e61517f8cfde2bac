"""Audits contracts: their tables, clocks, orders, transfers and balances against what their events give."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple
from typing import Any, Final

from escrow import database, ledger, models
from escrow.agreement.deadlines import deadlines
from escrow.agreement.evolve import evolve
from escrow.agreement.postings import is_stored, postings
from escrow.agreement.state import Contract
from escrow.audit.differences import Difference, Row, compare, compare_row
from escrow.audit.streams import Stream, Unfoldable, check_chain, fold, load
from escrow.ledger import Transfer
from escrow.models.facts import columns_of
from escrow.store.tables import CONTRACTS, PARTS, deadline_row, next_clocks

TABLES: Final = {
    **{part.table: part.lasting for part in PARTS},
    "deadlines": tuple(columns_of(models.Deadline)),
    "balances": tuple(columns_of(models.Balance)),
    "transfers": tuple(name for name in columns_of(models.Transfer) if name != "id"),
}
"""What is compared of each table: the domain's columns, not those of the workers."""

_JSON: Final = {part.table: part.json_columns for part in PARTS}


async def audit_contracts(contract_ids: Sequence[str]) -> Iterator[Difference]:
    """Every difference of these contracts, read within the snapshot of the transaction and found as they are asked for."""
    streams = await load(contract_ids)
    contracts = {row["id"]: dict(row) for row in await database.fetch(_CONTRACTS, contract_ids)}
    rows = {table: await _rows(table, names, contract_ids) for table, names in TABLES.items()}
    return (
        difference
        for contract_id in contract_ids
        if contract_id in contracts
        for difference in _audit(
            streams[contract_id],
            contracts[contract_id],
            {table: rows[table].get(contract_id, []) for table in TABLES},
        )
    )


_CONTRACTS: Final = "SELECT * FROM contracts WHERE id = ANY ($1)"


async def _rows(table: str, names: Sequence[str], contract_ids: Sequence[str]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    sql = f"SELECT {', '.join(names)} FROM {table} WHERE contract_id = ANY ($1)"  # noqa: S608 - the names above
    for row in await database.fetch(sql, contract_ids):
        found[row["contract_id"]].append(
            {name: json.loads(value) if name in _JSON.get(table, ()) else value for name, value in row.items()}
        )
    return found


def _audit(stream: Stream, row: Row, rows: dict[str, list[Row]]) -> Iterator[Difference]:
    yield from check_chain(stream, row)
    try:
        contract, recorded = fold(stream, evolve)
    except Unfoldable as unfoldable:
        yield unfoldable.difference()
        return
    if contract is None:
        yield Difference(stream.id, "events", "at least one", "none")
        return
    expected = [
        Transfer(event["id"], leg.debit, leg.credit, leg.amount.minor, leg.amount.currency, one.at)
        for event, one in zip(stream.events, recorded, strict=True)
        for leg in postings(stream.id, one.event)
    ]
    stored = [
        Transfer(**{name: leg[name] for name in TABLES["transfers"] if name != "contract_id"})
        for leg in rows["transfers"]
    ]
    yield from compare_row("contracts", contract.id, CONTRACTS.row(contract, contract, next_clocks(contract)), row)
    for table, wanted, key in _expected(contract):
        yield from compare(table, wanted, rows[table], by=key)
    yield from _compare_transfers(expected, stored)
    yield from _compare_balances(contract, stored, rows["balances"])
    for fault in ledger.faults(contract, stored):
        yield Difference(contract.id, "law of the books", "kept", fault)


def _expected(contract: Contract) -> Iterator[tuple[str, Sequence[Row], Sequence[str]]]:
    """The rows that a folded contract has in each table, and the columns that are their key."""
    for part in PARTS:
        yield part.table, [{name: row[name] for name in part.lasting} for row in part.rows(contract)], part.key
    yield "deadlines", [deadline_row(contract.id, one) for one in deadlines(contract)], ("kind", "subject_id")


def _compare_transfers(expected: Iterable[Transfer], stored: Iterable[Transfer]) -> Iterator[Difference]:
    """Event by event: the same legs, as often."""
    wanted, there = _by_event(expected), _by_event(stored)
    for event_id in sorted(wanted.keys() | there.keys()):
        missing, extra = wanted[event_id] - there[event_id], there[event_id] - wanted[event_id]
        if missing or extra:
            yield Difference(event_id, "transfers", _legs(missing), _legs(extra))


def _by_event(legs: Iterable[Transfer]) -> defaultdict[str, Counter[Transfer]]:
    found: defaultdict[str, Counter[Transfer]] = defaultdict(Counter)
    for leg in legs:
        found[leg.event_id][leg] += 1
    return found


def _legs(legs: Counter[Transfer]) -> list[tuple[Any, ...]]:
    return [astuple(leg)[1:] for leg in legs.elements()]


def _compare_balances(contract: Contract, stored: list[Transfer], rows: list[Row]) -> Iterator[Difference]:
    """The stored balances against the sum of the stored transfers, and against what the events' postings give."""
    there = {(row["account"], row["currency"]): row["balance_minor"] for row in rows}
    moved = {account: balance for account, balance in ledger.balances(stored).items() if is_stored(account[0])}
    for source, sums in (("transfers", moved), ("events", dict(contract.balances))):
        for account in sorted(sums.keys() | there.keys()):
            if sums.get(account, 0) != there.get(account, 0):
                subject, what = " ".join(account), f"balance by the {source}"
                yield Difference(subject, what, sums.get(account, 0), there.get(account, 0))
