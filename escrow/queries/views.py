"""Reads objects beside a contract as an actor may see them: by identifier, and page by page for many parents at once."""

# ruff: noqa: S608 - only our own tables and columns are filled into statements

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from typing import Final, Generic, Literal, TypeVar

from escrow import database, ids
from escrow.access import Actor
from escrow.database import Record, unseen
from escrow.ids import Kind
from escrow.queries import counts
from escrow.queries.counts import Counted
from escrow.queries.visibility import SEEN, STREAM_SEEN, viewer
from escrow.store.tables import Part

T = TypeVar("T")

Parent = Literal["contract_id", "milestone_id", "stream_id", "dispute_id", "delivery_id", "account_id"]
"""By what a page is asked for."""

Order = Literal["id", "number", "sequence", "added"]
"""What a page is in the order of."""

Place = tuple[object, ...]
"""A place in an order: a value for each of its columns."""

_COLUMNS: Final[dict[Order, dict[str, str]]] = {
    "id": {"id": "text"},
    "number": {"number": "bigint"},
    "sequence": {"sequence": "bigint"},
    "added": {"added_at": "timestamptz", "side": "text", "number": "bigint"},
}
"""The columns that make an order, with their types."""

_BEGINNINGS: Final = {"text": "", "bigint": 0, "timestamptz": datetime.min.replace(tzinfo=UTC)}
_ENDS: Final = {"text": "~", "bigint": 2**63 - 1, "timestamptz": datetime.max.replace(tzinfo=UTC)}
"""Before and behind every identifier, every number, and every moment."""


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
        after: Place | None,
        backwards: bool = False,
    ) -> dict[str, list[T]]:
        """For each parent at most `limit` in their order, those after a place in it; one statement, a keyset scan for each.

        `backwards` turns the order round: from the end, those before the place.
        """
        types = _COLUMNS[order].values()
        begin = [(_ENDS if backwards else _BEGINNINGS)[of_type] for of_type in types]
        statement = _page(self.select, parent, order, backwards=backwards)
        rows = await database.fetch(statement, sorted(set(parents)), limit, *(after or begin))
        found: dict[str, list[T]] = {}
        for row in rows:
            found.setdefault(row["asked_for"], []).append(self.read(row))
        return found

    async def totals(self, parents: Collection[str], parent: Parent) -> dict[str, Counted]:
        """How many rows each parent has; one statement."""
        rows = await database.fetch(
            f"""
            SELECT asked.id, (SELECT count(*) FROM (
                {self.select} WHERE one.{parent} = asked.id LIMIT {counts.COUNTED_MAX + 1}) counted) AS total
            FROM unnest({unseen("$1::text[]")}) asked (id)
            """,
            sorted(set(parents)),
        )
        return {row["id"]: counts.bounded(row["total"]) for row in rows}


@cache
def _page(select: str, parent: Parent, order: Order, *, backwards: bool) -> str:
    """The statement of a page for each of the parents `$1`, of `$2` rows at most, from the place that begins with `$3`."""
    further, direction = ("<", "DESC") if backwards else (">", "ASC")
    columns = _COLUMNS[order]
    keys = ", ".join(f"one.{column}" for column in columns)
    place = ", ".join(unseen(f"${number}::{of_type}") for number, of_type in enumerate(columns.values(), start=3))
    return f"""
        SELECT found.*, asked.id AS asked_for FROM unnest({unseen("$1::text[]")}) asked (id) CROSS JOIN LATERAL (
            {select} WHERE one.{parent} = asked.id AND ({keys}) {further} ({place})
            ORDER BY {_ordered("one", columns, direction)} LIMIT {unseen("$2::int")}
        ) found ORDER BY {_ordered("found", columns, direction)}
        """


def _ordered(alias: str, columns: Collection[str], direction: str) -> str:
    return ", ".join(f"{alias}.{column} {direction}" for column in columns)


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
