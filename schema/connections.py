"""Builds Relay connections: pages of 1 to 100 by keyset cursors, forwards only.

A connection holds its page ready to read. How a page is read from the database is `escrow.queries`' business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Generic, TypeVar, cast

import strawberry
from graphql import GraphQLError

from schema.scalars import Cursor

PAGE_DEFAULT: Final = 50
PAGE_MAX: Final = 100

T = TypeVar("T")

First = Annotated[int, strawberry.argument(description="How many to answer with, 1 to 100.")]
After = Annotated[
    Cursor | None, strawberry.argument(description="Continue after this place: the `endCursor` of the page before.")
]


def page_size(first: int) -> int:
    """`first`, if it is a page size; else a `GraphQLError` that says what would be right."""
    if not 1 <= first <= PAGE_MAX:
        raise GraphQLError(f"`first` must be from 1 to {PAGE_MAX}, not {first}.", extensions={"code": "BAD_REQUEST"})
    return first


@strawberry.type(description="Where a page ends and whether more follows.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether something follows this page.")
    has_previous_page: bool = strawberry.field(
        description="Whether the page was asked for with `after`, so that something came before it."
    )
    start_cursor: Cursor | None = strawberry.field(description="The place of the first entry; null on an empty page.")
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


def connection(found: list[tuple[T, Cursor]], *, first: int, after: Cursor | None) -> Connection[T]:
    """The page made of what was found when one more than `first` was asked for."""
    page = found[:first]
    return Connection(
        edges=[Edge(node=node, cursor=cursor) for node, cursor in page],
        nodes=[node for node, _ in page],
        page_info=PageInfo(
            has_next_page=len(found) > first,
            has_previous_page=after is not None,
            start_cursor=page[0][1] if page else None,
            end_cursor=page[-1][1] if page else None,
        ),
    )


class _Page:
    """A page whose places are written when somebody asks for them: most ask for the last one, if for any."""

    def __init__(self, nodes: Sequence[Any], place: Callable[[int], Cursor], first: int, after: Cursor | None) -> None:
        self.nodes = list(nodes[:first])
        self._place, self._after, self._has_next_page = place, after, len(nodes) > first

    @property
    def edges(self) -> list[Edge[Any]]:
        return [Edge(node=node, cursor=self._place(index)) for index, node in enumerate(self.nodes)]

    @property
    def page_info(self) -> PageInfo:
        return PageInfo(
            has_next_page=self._has_next_page,
            has_previous_page=self._after is not None,
            start_cursor=self._place(0) if self.nodes else None,
            end_cursor=self._place(len(self.nodes) - 1) if self.nodes else None,
        )


def page(nodes: Sequence[Any], place: Callable[[int], Cursor], *, first: int, after: Cursor | None) -> Connection[Any]:
    """The same of nodes whose places `place` writes, each by its index."""
    return cast("Connection[Any]", _Page(nodes, place, first, after))


def nothing(first: int) -> Connection[T]:
    """The page of a list of which the viewer sees nothing; refuses what is no page size all the same."""
    return connection([], first=page_size(first), after=None)
