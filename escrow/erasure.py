"""Erases people's words from a contract: the texts beside its events, and everything that was made of them.

The events stay, with the hashes of words that nobody can guess any more, since their salts go too: the chain is whole, and
the audit finds the tables to be what the log gives without those words.
"""

# ruff: noqa: S608 - only our own columns are filled into statements

from __future__ import annotations

from typing import Any, Final

import orjson

from escrow import database
from escrow.agreement.evolve import evolve
from escrow.audit.streams import fold, load
from escrow.errors import NotFound
from escrow.idempotency import NO_INPUT_SQL
from escrow.placement import key_across_shards
from escrow.store.mapping import Mapper
from escrow.store.shapes import Row
from escrow.store.tables import CONTRACTS, PARTS


async def erase(contract_id: str, *, event_id: str | None = None) -> int:
    """Erase the words of a contract, or of one of its events; answers how many texts it were.

    Refuses with `NotFound` what is not there. A payment token is no word of the log: it goes with its order. What the provider
    said of orders goes with all words of a contract. Commands under way decide again; idempotency keys that the contract's
    commands came with stay used, but repeating one is refused from now on.
    """
    async with database.transaction():
        if await database.fetch_row("SELECT FROM contracts WHERE id = $1 FOR NO KEY UPDATE", contract_id) is None:
            raise NotFound(f"There is no contract {contract_id}.", field="contractId")
        if event_id is not None and await database.fetch_row(_EVENT, contract_id, event_id) is None:
            raise NotFound(f"The contract has no event {event_id}.", field="eventId")
        erased = len(await database.fetch(_ERASE, contract_id, event_id))
        if erased:
            await database.execute("UPDATE contracts SET erasures = erasures + 1 WHERE id = $1", contract_id)
            await database.execute(_FORGET_INPUTS, contract_id)
            await _rewrite(contract_id)
        if event_id is None:
            await database.execute(_FORGET_EXPLANATIONS, contract_id)
    return erased


_EVENT: Final = "SELECT FROM events WHERE stream_id = $1 AND id = $2"

_OF_CONTRACT: Final = """
    stream_id = $1 AND ($2::text IS NULL OR event_id = $2)
    AND erased_at IS NULL"""

_ERASE: Final = f"""
UPDATE texts SET body = NULL, salt = NULL, erased_at = clock_timestamp() WHERE {_OF_CONTRACT} RETURNING event_id
"""

_FORGET_INPUTS: Final = f"UPDATE idempotency_keys SET input_sha256 = {NO_INPUT_SQL} WHERE contract_id = $1"


_FORGET_EXPLANATIONS: Final = """
UPDATE payment_orders SET explanation = NULL, last_error = NULL
WHERE contract_id = $1 AND (explanation IS NOT NULL OR last_error IS NOT NULL)
"""


async def _rewrite(contract_id: str) -> None:
    """Make the read tables say what the log gives now."""
    streams = await load([contract_id])
    contract, _ = fold(streams[contract_id], evolve)
    if contract is None:
        raise ValueError(f"{contract_id} has no events")
    await _say(CONTRACTS, [CONTRACTS.row(contract, contract, {})])
    for part in PARTS:
        await _say(part, part.rows(contract))


async def _say(table: Mapper[Any], rows: list[Row]) -> None:
    """Make the words of a table's rows those of these."""
    if table.words and rows:
        await database.execute(_update(table), orjson.dumps(rows).decode())


def _update(table: Mapper[Any]) -> str:
    assigned = ", ".join(f"{name} = given.{name}" for name in table.words)
    key = key_across_shards(table.table, table.key)
    same = " AND ".join(f"{table.table}.{name} = given.{name}" for name in key)
    given = f"json_to_recordset($1::json) AS given ({table.typed((*key, *table.words))})"
    return f"UPDATE {table.table} SET {assigned} FROM {given} WHERE {same}"
