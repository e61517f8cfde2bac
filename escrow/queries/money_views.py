"""What has to do with a contract's money, by identifier and page by page: for those alone who handle it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeVar

from escrow import database, ids
from escrow.access import Actor
from escrow.database import Record
from escrow.ids import Kind
from escrow.queries.visibility import SEEN_BY, handles_money

T = TypeVar("T")


async def pages_of(
    scan: str, read: Callable[[Record], T], asked: Collection[str], limit: int, after: str | int
) -> dict[str, list[T]]:
    """The pages of one kind for many parents: a keyset scan for each, in one statement."""
    rows = await database.fetch(
        f"SELECT found.* FROM unnest($1::text[]) asked (id) CROSS JOIN LATERAL ({scan} LIMIT $2) found",  # noqa: S608 - our own text
        sorted(set(asked)),
        limit,
        after,
    )
    found: dict[str, list[T]] = {}
    for row in rows:
        found.setdefault(row["owner_id"], []).append(read(row))
    return found


async def by_id(
    actor: Actor,
    identifiers: Collection[str],
    kind: Kind,
    select: str,
    alias: str,
    read: Callable[[Record], T],
) -> dict[str, T]:
    wanted = [identifier for identifier in set(identifiers) if ids.is_a(kind, identifier)]
    if not wanted:
        return {}
    rows = await database.fetch(
        f"""
        SELECT found.*, {SEEN_BY}
        FROM ({select} WHERE {alias}.id = ANY($1::text[])) found JOIN contracts c ON c.id = found.owner_id
        """,  # noqa: S608 - our own text
        wanted,
    )
    return {row["id"]: read(row) for row in rows if handles_money(actor, row, contract_id=row["owner_id"])}
