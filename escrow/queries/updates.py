"""Progress updates, page by page."""

# ruff: noqa: S608 - only our own tables and columns are filled into statements

from __future__ import annotations

from collections.abc import Collection

from escrow import database
from escrow.agreement.state import Update
from escrow.queries.views import Parent
from escrow.store.tables import UPDATES


async def updates_pages(
    parents: Collection[str], parent: Parent, *, limit: int, after: int | None
) -> dict[str, list[Update]]:
    """For each contract or milestone at most `limit` progress updates in order, those after the number `after`."""
    rows = await database.fetch(
        f"""
        SELECT found.* FROM unnest($1::text[]) asked (id) CROSS JOIN LATERAL (
            SELECT {UPDATES.select("one")} FROM updates one
            WHERE one.{parent} = asked.id AND one.number > $3 ORDER BY one.number LIMIT $2
        ) found ORDER BY found.number
        """,
        sorted(set(parents)),
        limit,
        after or 0,
    )
    found: dict[str, list[Update]] = {}
    for row in rows:
        found.setdefault(row[parent], []).append(UPDATES.read(row))
    return found


async def update_by_number(contract_id: str, number: int) -> Update | None:
    """One update of a contract that the actor was shown before."""
    row = await database.fetch_row(
        f"SELECT {UPDATES.select('one')} FROM updates one WHERE one.contract_id = $1 AND one.number = $2",
        contract_id,
        number,
    )
    return UPDATES.read(row) if row is not None else None
