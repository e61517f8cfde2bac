"""Reads objects beside a contract as an actor may see them: by identifier, and page by page for many parents at once."""

# ruff: noqa: S608 - only our own tables and columns are filled into statements

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache, partial
from typing import Final, Generic, Literal, TypeVar

from escrow import database, ids
from escrow.access import Actor
from escrow.database import Record, unseen
from escrow.ids import Kind
from escrow.queries.visibility import SEEN, STREAM_SEEN, viewer
from escrow.store.tables import Part

T = TypeVar("T")

Parent = Literal["contract_id", "milestone_id", "stream_id"]
"""By what a page is asked for."""

Order = Literal["id", "number", "sequence"]
"""The column that a page is in the order of."""


_BEGINNINGS: Final[dict[str, str | int]] = {"text": "", "bigint": 0}
_ENDS: Final[dict[str, str | int]] = {"text": "~", "bigint": 2**63 - 1}
"""Before and behind every identifier, and every number."""

COUNTED_MAX: Final = 10_000
"""Up to so many a list is counted; of a longer one it is only known that it is longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages(Generic[T]):
    """Rows `one` of a table that are read page by page, and what an answer makes of a row."""

    select: str
    read: Callable[[Record], T]

    async def pages(
        self,
        parents: Collection[str],
        parent: Parent,
        *,
        order: Order = "id",
        limit: int,
        after: str | int | None,
        backwards: bool = False,
    ) -> dict[str, list[T]]:
        """For each parent at most `limit` in their order, those after a place in it; one statement, a keyset scan for each.

        `backwards` turns the order round: from the end, those before the place.
        """
        place = "text" if order == "id" else "bigint"
        further, direction = ("<", "DESC") if backwards else (">", "ASC")
        begin = _ENDS[place] if backwards else _BEGINNINGS[place]
        rows = await database.fetch(
            f"""
            SELECT found.*, asked.id AS asked_for FROM unnest({unseen("$1::text[]")}) asked (id) CROSS JOIN LATERAL (
                {self.select} WHERE one.{parent} = asked.id AND one.{order} {further} {unseen(f"$3::{place}")}
                ORDER BY one.{order} {direction} LIMIT {unseen("$2::int")}
            ) found ORDER BY found.{order} {direction}
            """,
            sorted(set(parents)),
            limit,
            after or begin,
        )
        found: dict[str, list[T]] = {}
        for row in rows:
            found.setdefault(row["asked_for"], []).append(self.read(row))
        return found

    async def totals(self, parents: Collection[str], parent: Parent) -> dict[str, int]:
        """How many rows each parent has, counted up to one more than `COUNTED_MAX`; one statement."""
        rows = await database.fetch(
            f"""
            SELECT asked.id, (SELECT count(*) FROM (
                {self.select} WHERE one.{parent} = asked.id LIMIT {COUNTED_MAX + 1}) counted) AS total
            FROM unnest({unseen("$1::text[]")}) asked (id)
            """,
            sorted(set(parents)),
        )
        return {row["id"]: row["total"] for row in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects(Pages[T]):
    """The same of objects that have an identifier."""

    kind: Kind
    owner: Parent = "contract_id"
    """What names the contract; or the account, whose rows have none."""
    is_money: bool = False
    """Whether it tells how money comes and goes, which mediators don't see."""

    async def by_id(self, actor: Actor, identifiers: Collection[str]) -> dict[str, T]:
        """Those that exist and that the actor may see, by identifier; one statement, none if no identifier is of the kind."""
        wanted = [identifier for identifier in set(identifiers) if ids.is_a(self.kind, identifier)]
        if not wanted:
            return {}
        statement = _by_id(self.select, self.owner)
        rows = await database.fetch(*statement.bind(ids=wanted, **viewer(actor, money=self.is_money)))
        return {row["id"]: self.read(row) for row in rows}


@cache
def _by_id(select: str, owner: Parent) -> database.Statement:
    return database.Statement(f"""
        SELECT found.* FROM ({select} WHERE one.id = ANY ({unseen(":ids::text[]")})) found
        LEFT JOIN contracts c ON c.id = found.{owner} WHERE {STREAM_SEEN if owner == "stream_id" else SEEN}
        """)


@dataclass(frozen=True, slots=True)
class View(Generic[T]):
    """An object as the domain has it, and of its contract what its answer needs."""

    whole: T
    contract_id: str
    currency: str


def view(part: Part[T], row: Record) -> View[T]:
    """A row with the columns of the object and the `currency` of its contract."""
    return View(part.read(row), row["contract_id"], row["currency"])


def selected(part: Part[T], *beside: str) -> str:
    """The rows `one` of a part's table, with what else is named."""
    return f"SELECT {', '.join([part.select('one'), *beside])} FROM {part.table} one"


def viewed(part: Part[T], kind: Kind, *, is_money: bool = False) -> Objects[View[T]]:
    """The objects of a part's table, with what their answers need of the contract."""
    return Objects(select=selected(part, CURRENCY), read=partial(view, part), kind=kind, is_money=is_money)


CURRENCY: Final = "(SELECT currency FROM contracts WHERE id = one.contract_id) AS currency"
"""The currency of the contract that a row belongs to."""
