"""Reads pages of what belongs to a contract or a milestone, in the order of identifiers, for several types."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from escrow.queries import deposits, orders, transfers
from escrow.queries.views import View
from schema.connections import Connection, connection, page_size
from schema.scalars import Cursor, print_cursor, read_cursor
from schema.types.common import Node

T = TypeVar("T", bound=Node)
V = TypeVar("V", transfers.TransferView, deposits.DepositView, orders.OrderView)
W = TypeVar("W")


def place_of(after: Cursor | None, order: str) -> str | None:
    """The identifier after which the page begins."""
    return read_cursor(after, order)[0] if after is not None else None


def pages(
    parent_ids: Sequence[str],
    found: Mapping[str, Sequence[View[W]]],
    show: Callable[[View[W]], T],
    *,
    order: str,
    first: int,
    after: Cursor | None,
) -> list[Connection[T]]:
    """A page for each parent, of what was found when one more than `first` was asked for."""
    shown = ([show(view) for view in found.get(parent_id, ())] for parent_id in parent_ids)
    return [
        connection([(one, print_cursor(order, one.id)) for one in nodes], first=first, after=after) for nodes in shown
    ]


async def money_pages(
    contract_ids: Sequence[str],
    read: Callable[..., Awaitable[dict[str, list[V]]]],
    show: Callable[[V], tuple[str, T]],
    first: int,
    after: Cursor | None,
) -> list[Connection[T]]:
    """A page for each contract of what has to do with its money; `read` is a query, whose name is the order of its cursors."""
    size = page_size(first)
    order = read.__name__
    start = read_cursor(after, order)[0] if after is not None else None
    found = await read(contract_ids, limit=size + 1, after=start)
    pages = []
    for contract_id in contract_ids:
        shown = [show(view) for view in found.get(contract_id, [])]
        pages.append(connection([(one, print_cursor(order, place)) for place, one in shown], first=size, after=after))
    return pages
