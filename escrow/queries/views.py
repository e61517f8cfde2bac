"""Objects beside a contract as an actor may see them: by identifier, and page by page, for those that all are read alike."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from escrow import database, ids
from escrow.access import Actor
from escrow.database import Record
from escrow.ids import Kind
from escrow.queries.visibility import SEEN_BY, sees
from escrow.store.tables import Part

T = TypeVar("T")


Parent = Literal["contract_id", "milestone_id"]
"""By what a page is asked for."""


@dataclass(frozen=True, slots=True)
class View(Generic[T]):
    """An object as the domain has it, and of its contract what its answer needs."""

    whole: T
    contract_id: str
    currency: str


def view(part: Part[T], row: Record) -> View[T]:
    return View(part.read(row), row["contract_id"], row["currency"])


async def by_id(part: Part[T], kind: Kind, actor: Actor, identifiers: Collection[str]) -> dict[str, View[T]]:
    wanted = [identifier for identifier in set(identifiers) if ids.is_a(kind, identifier)]
    if not wanted:
        return {}
    rows = await database.fetch(
        f"""
        SELECT {part.select("one")}, c.currency, {SEEN_BY}
        FROM {part.table} one JOIN contracts c ON c.id = one.contract_id WHERE one.id = ANY($1::text[])
        """,  # noqa: S608 - our own text
        wanted,
    )
    return {row["id"]: view(part, row) for row in rows if sees(actor, row, contract_id=row["contract_id"])}


async def pages_of(
    part: Part[T], parents: Collection[str], parent: Parent, limit: int, after: str | None
) -> dict[str, list[View[T]]]:
    rows = await database.fetch(
        f"""
        SELECT found.*, c.currency FROM unnest($1::text[]) asked (id) CROSS JOIN LATERAL (
            SELECT {part.select("one")} FROM {part.table} one
            WHERE one.{parent} = asked.id AND one.id > $3 ORDER BY one.id LIMIT $2
        ) found JOIN contracts c ON c.id = found.contract_id ORDER BY found.id
        """,  # noqa: S608 - our own text
        sorted(set(parents)),
        limit,
        after or "",
    )
    found: dict[str, list[View[T]]] = {}
    for row in rows:
        found.setdefault(row[parent], []).append(view(part, row))
    return found
