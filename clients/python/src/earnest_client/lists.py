"""Lists to their end, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from earnest_client.api import PageFields

Node = TypeVar("Node")
Listed = TypeVar("Listed", covariant=True)


class Page(Protocol[Listed]):
    """What every list of the API answers with."""

    @property
    def nodes(self) -> Sequence[Listed]:
        """What stands on the page."""

    @property
    def page_info(self) -> PageFields:
        """Whether more follows, and from where."""


async def pages(ask: Callable[[str | None], Awaitable[Page[Node]]]) -> AsyncIterator[Sequence[Node]]:
    """Each page of a list: `pages(lambda after: client.contracts(first=100, after=after))`."""
    after: str | None = None
    while True:
        page = await ask(after)
        yield page.nodes
        if not page.page_info.has_next_page:
            return
        after = page.page_info.end_cursor


async def every(ask: Callable[[str | None], Awaitable[Page[Node]]]) -> AsyncIterator[Node]:
    """Each entry of a list, whatever page it stands on."""
    async for page in pages(ask):
        for node in page:
            yield node
