"""Builds Relay connections: pages of 1 to 100 by keyset cursors, forwards and backwards.

A connection holds its page ready to read. How a page is read from the database is `escrow.queries`' business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Generic, TypeVar, cast

import strawberry
from graphql import GraphQLError

from escrow.queries.counts import Counted
from schema.engine.context import Context, Info
from schema.engine.fields import resolved
from schema.engine.page_sizes import PAGE_DEFAULT, PAGE_MAX
from schema.scalars import Cursor

Total = Callable[[Context], Awaitable[Counted]]
"""Counts a list; the second time it costs nothing."""

T = TypeVar("T")

First = Annotated[int | None, strawberry.argument(description="How many to answer with, 1 to 100; 50 if it is null.")]
After = Annotated[
    Cursor | None, strawberry.argument(description="Continue after this place: the `endCursor` of the page before.")
]


Last = Annotated[
    int | None, strawberry.argument(description="How many to answer with from the end, or from `before`: 1 to 100.")
]
Before = Annotated[
    Cursor | None, strawberry.argument(description="End before this place: the `startCursor` of the page behind.")
]


def page_size(first: int | None, name: str = "first") -> int:
    """`first`, if it is a page size; the default if it is null; else a `GraphQLError` that says what would be right."""
    if first is None:
        return PAGE_DEFAULT
    if not 1 <= first <= PAGE_MAX:
        raise GraphQLError(f"`{name}` must be from 1 to {PAGE_MAX}, not {first}.", extensions={"code": "BAD_REQUEST"})
    return first


@dataclass(frozen=True, slots=True)
class Window:
    """Which page of a list is asked for: so many after a place, or before one if it is read backwards, from its end."""

    size: int
    place: Cursor | None
    backwards: bool = False


def window(first: int | None, after: Cursor | None, last: int | None = None, before: Cursor | None = None) -> Window:
    """The page that the arguments of a connection ask for; a `GraphQLError` where they ask for two different ones."""
    if last is None and before is None:
        return Window(page_size(first), after)
    if first is not None or after is not None:
        said = "`last` and `before` read a list backwards; use them without `first` and `after`."
        raise GraphQLError(said, extensions={"code": "BAD_REQUEST"})
    return Window(page_size(last, "last"), before, backwards=True)


@strawberry.type(description="Where a page ends and whether more follows.")
class PageInfo:
    has_next_page: bool = strawberry.field(
        description="Whether something follows this page; with `last`, whether it was asked for with `before`."
    )
    has_previous_page: bool = strawberry.field(
        description="Whether something comes before this page; with `first`, whether it was asked for with `after`."
    )
    start_cursor: Cursor | None = strawberry.field(
        description="The place of the first entry: `before` for the page before; null on an empty page."
    )
    end_cursor: Cursor | None = strawberry.field(
        description="The place of the last entry: `after` for the next page; null on an empty page."
    )


@strawberry.type(description="An entry of a list and its place in it.")
class Edge(Generic[T]):
    node: T = strawberry.field(description="The entry itself.")
    cursor: Cursor = strawberry.field(description="Its place: `after` for what follows it.")


@strawberry.type(description="One page of a list.")
class Connection(Generic[T]):
    edges: list[Edge[T]] = strawberry.field(description="The entries of this page with their places.")
    nodes: list[T] = strawberry.field(description="The entries of this page.")
    page_info: PageInfo = strawberry.field(description="Where this page ends and whether more follows.")
    total: strawberry.Private[Total]
    """Counts the whole list."""

    @resolved(
        "How many entries the whole list has, on all pages, counted up to 10,000. It is counted when it is asked for."
    )
    async def total_count(self, info: Info) -> int:
        return (await self.total(info.context)).entries

    @resolved(
        "Whether there are more entries than `totalCount` says, or may be: of deliveries with a filter only the newest 20,000 "
        "are looked at."
    )
    async def has_more_than_total_count(self, info: Info) -> bool:
        return (await self.total(info.context)).has_more


def windowed(
    found: list[tuple[T, Cursor]], window: Window, total: Total, *, looked_until: Cursor | None = None
) -> Connection[T]:
    """The page made of what was found, in the order in which it was read, when one more than its size was asked for.

    Where the look ended before the page was full, `looked_until` is the place from which it goes on.
    """
    page = found[: window.size][:: -1 if window.backwards else 1]
    has_next_page, has_previous_page = _beyond(window, is_further=len(found) > window.size or looked_until is not None)
    start, end = (page[0][1], page[-1][1]) if page else (None, None)
    return Connection(
        edges=[Edge(node=node, cursor=cursor) for node, cursor in page],
        nodes=[node for node, _ in page],
        page_info=PageInfo(
            has_next_page=has_next_page,
            has_previous_page=has_previous_page,
            start_cursor=looked_until or start if window.backwards else start,
            end_cursor=end if window.backwards else looked_until or end,
        ),
        total=total,
    )


def _beyond(window: Window, *, is_further: bool) -> tuple[bool, bool]:
    """Whether something follows the page, and whether something comes before it; `is_further` in the order it was read in."""
    is_behind = window.place is not None
    return (is_behind, is_further) if window.backwards else (is_further, is_behind)


class _PageInfo:
    """Where a page ends, written when somebody asks for it."""

    def __init__(
        self, order: range, place: Callable[[int], Cursor], has_next_page: bool, has_previous_page: bool
    ) -> None:
        self._order, self._place = order, place
        self.has_next_page, self.has_previous_page = has_next_page, has_previous_page

    @property
    def start_cursor(self) -> Cursor | None:
        return self._place(self._order[0]) if self._order else None

    @property
    def end_cursor(self) -> Cursor | None:
        return self._place(self._order[-1]) if self._order else None


class _Page:
    """A page whose places are written when somebody asks for them: most ask for the last one, if for any."""

    def __init__(self, nodes: Sequence[Any], place: Callable[[int], Cursor], window: Window, total: Total) -> None:
        self._order = range(min(len(nodes), window.size))[:: -1 if window.backwards else 1]
        self.nodes, self.total = [nodes[index] for index in self._order], total
        self._place, self._beyond = place, _beyond(window, is_further=len(nodes) > window.size)

    @property
    def edges(self) -> list[Edge[Any]]:
        return [Edge(node=node, cursor=self._place(index)) for index, node in zip(self._order, self.nodes, strict=True)]

    @property
    def page_info(self) -> PageInfo:
        return cast("PageInfo", _PageInfo(self._order, self._place, *self._beyond))


def page(nodes: Sequence[Any], place: Callable[[int], Cursor], window: Window, total: Total) -> Connection[Any]:
    """The same of nodes whose places `place` writes, each by its index among them."""
    return cast("Connection[Any]", _Page(nodes, place, window, total))


def once(count: Callable[[], Awaitable[Counted]]) -> Total:
    """Counts when somebody asks for the first time."""
    known: list[asyncio.Future[Counted]] = []

    def total(_: Context) -> Awaitable[Counted]:
        if not known:
            known.append(asyncio.ensure_future(count()))
        return known[0]

    return total


def nothing(window: Window) -> Connection[T]:
    """The page of a list of which the viewer sees nothing."""

    async def none(_: Context) -> Counted:
        return Counted(0)

    return windowed([], replace(window, place=None), none)
