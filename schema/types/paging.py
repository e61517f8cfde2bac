"""Reads pages of what belongs to a contract or a milestone, in the order of identifiers, for several types."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from escrow.database import Record
from escrow.queries.counts import Counted
from escrow.queries.views import Order, Pages, Parent
from schema.connections import Connection, Total, Window, page
from schema.engine.context import Context
from schema.engine.data_loaders import data_loader
from schema.scalars import Cursor, print_cursor, read_cursor, read_number
from schema.types.common import Node

T = TypeVar("T", bound=Node | Record)
V = TypeVar("V")


def place_of(after: Cursor | None, order: str) -> str | None:
    """The identifier after which the page begins."""
    return read_cursor(after, order)[0] if after is not None else None


async def pages_of(
    rows: Pages[V],
    show: Callable[[V], T],
    parents: Sequence[str],
    parent: Parent,
    *,
    order: str,
    by: Order = "id",
    window: Window,
) -> list[Connection[T]]:
    """A page for each parent of what a query reads, in the order of `by`, which cursors call `order`."""
    place = window.place
    start = place_of(place, order) if by == "id" or place is None else read_number(place, order)
    found = await rows.pages(
        parents,
        parent,
        order=by,
        limit=window.size + 1,
        after=(start,) if start is not None else None,
        backwards=window.backwards,
    )
    return [
        page_of(rows, [show(one) for one in found.get(one_id, ())], one_id, parent, order=order, by=by, window=window)
        for one_id in parents
    ]


def page_of(
    rows: Pages[Any], nodes: Sequence[Any], one: str, parent: Parent, *, order: str, by: Order, window: Window
) -> Connection[Any]:
    """The page of objects or rows of one parent, whose cursors are written if somebody asks for them."""

    def place(index: int) -> Cursor:
        node = nodes[index]
        return print_cursor(order, node[by] if isinstance(node, Record) else getattr(node, by))

    return page(nodes, place, window, total_of(rows, one, parent))


def total_of(rows: Pages[V], one: str, parent: Parent) -> Total:
    """Counts what a parent has, together with what its like have."""
    return lambda context: _totals(one, context, rows, parent)


@data_loader
async def _totals(parents: Sequence[str], _: Context, rows: Pages[Any], parent: Parent) -> list[Counted]:
    found = await rows.totals(parents, parent)
    return [found[one] for one in parents]
