"""Reads pages of what belongs to a contract or a milestone, in the order of identifiers, for several types."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from escrow.queries.views import Order, Pages, Parent
from schema.connections import Connection, connection, page_size
from schema.scalars import Cursor, print_cursor, read_cursor, read_number
from schema.types.common import Node

T = TypeVar("T", bound=Node)
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
    first: int,
    after: Cursor | None,
) -> list[Connection[T]]:
    """A page for each parent of what a query reads, in the order of `by`, which cursors call `order`."""
    size = page_size(first)
    start = place_of(after, order) if by == "id" or after is None else read_number(after, order)
    found = await rows.pages(parents, parent, order=by, limit=size + 1, after=start)
    shown = ([show(view) for view in found.get(one, ())] for one in parents)
    return [
        connection([(node, print_cursor(order, getattr(node, by))) for node in nodes], first=size, after=after)
        for nodes in shown
    ]
