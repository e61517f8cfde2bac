"""Reads the progress updates of a contract, which have numbers in place of identifiers."""

from typing import Final

from escrow import database
from escrow.agreement.state import Update
from escrow.queries.views import Pages, selected
from escrow.store import tables

UPDATES: Final = Pages(select=selected(tables.UPDATES), read=tables.UPDATES.read)


async def update_by_number(contract_id: str, number: int) -> Update | None:
    """One update of a contract that the actor was shown before."""
    row = await database.fetch_row(
        f"{UPDATES.select} WHERE one.contract_id = $1 AND one.number = $2", contract_id, number
    )
    return UPDATES.read(row) if row is not None else None
