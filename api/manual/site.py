"""Serves the manual: `/docs` and what is below it, the search, and what a browser sees at `/graphql` and `/`.

Everything is read and rendered once, beside the event loop, and for each who asks in turn. Whoever asks needs no key, so the
address pays, as for everything that takes none.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from functools import partial
from html import escape
from typing import Final, TypeAlias

from graphql import GraphQLSchema
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from api.arrivals import address_of
from api.console import policies
from api.etags import is_known
from api.live.door import Door
from api.manual import first_operations, frame
from api.manual.articles import HOME, Article
from api.manual.library import Library, collect
from api.manual.rendering import rendered
from api.manual.search_index import CHARACTERS_MAX, Hit, SearchIndex
from api.manual.shelf import Kept, Shelf
from api.rates.budgets import client_of
from escrow.aside import aside
from schema.engine import costs
from schema.engine.budget import OverBudget

FRESH_SECONDS: Final = 300
"""How long a page may be kept without asking again."""

SEARCH: Final = 300
"""Points for looking for words."""

CHARACTERS_A_POINT: Final = 10
"""What rendering a page costs that nobody has asked for lately: 0.1 ms for each hundred characters."""


Explorer: TypeAlias = Callable[[Request], Awaitable[Response | None]]
"""Answers with the explorer's page, or says that there is none."""

Collect: TypeAlias = Callable[[GraphQLSchema], Library]
"""Gathers what there is to read."""


class Manual:
    """The pages of one process."""

    def __init__(
        self,
        door: Door,
        schema: Callable[[], GraphQLSchema],
        *,
        collect: Collect = collect,
        explorer: Explorer | None = None,
    ) -> None:
        self._door = door
        self._schema = schema
        self._collect = collect
        self._explorer = explorer
        self._shelf = Shelf()
        self._library: Library | None = None
        self._index: SearchIndex | None = None
        self._reading, self._indexing = asyncio.Lock(), asyncio.Lock()

    async def docs(self, request: Request) -> Response:
        """`GET /docs`, and everything below it."""
        try:
            await self._pay(request, costs.OPERATION)
            return await self._answer(request)
        except OverBudget as over:
            return await self._refused(request, over)

    async def at_graphql(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What a browser gets that was pointed at the API: the explorer if there is one, else operations to begin with."""
        request = Request(scope, receive)
        try:
            await self._pay(request, costs.OPERATION)
            answer = await self._operations(request)
        except OverBudget as over:
            answer = await self._refused(request, over)
        answer.headers.add_vary_header("Accept")
        await answer(scope, receive, send)

    async def _operations(self, request: Request) -> Response:
        if self._explorer is None:
            return await self._shown(request, first_operations.article())
        answer = await self._explorer(request)
        if answer is None:
            answer = await self._shown(request, first_operations.article(runs=True))
            answer.headers.update(policies.OPERATIONS)
        return answer

    async def _answer(self, request: Request) -> Response:
        address = f"{HOME}/{request.path_params.get('rest', '')}".rstrip("/")
        if address == frame.STYLE_ADDRESS:
            return _answered(request, frame.style(), "text/css; charset=utf-8")
        books = await self._books(request)
        asked = request.query_params.get("q") if address == HOME else None
        if asked is not None:
            return await self._found(request, asked, books)
        article = books.articles.get(address)
        if article is not None:
            return await self._shown(request, article)
        if address in books.pictures:
            picture = await self._made(request, address, books.pictures[address].read_bytes, 0)
            return _answered(request, picture, "image/png")
        moved = books.moved(address)
        return RedirectResponse(moved, 308) if moved is not None else _missing(books)

    async def _shown(self, request: Request, article: Article) -> Response:
        books = await self._books(request)
        page = await self._made(request, article.address, lambda: _page(article, books), len(article.text))
        return _answered(request, page)

    async def _made(self, request: Request, address: str, make: Callable[[], bytes], characters: int) -> Kept:
        """What is kept for an address, or made now; whoever asks pays for that first."""
        kept = self._shelf.get(address)
        if kept is not None:
            return kept
        await self._pay(request, characters / CHARACTERS_A_POINT)
        return await self._shelf.make(address, lambda: aside(make, owner=_owner(request)))

    async def _found(self, request: Request, asked: str, books: Library) -> Response:
        await self._pay(request, SEARCH)
        index = await self._searched(request, books)
        hits = await aside(lambda: index.find(asked), owner=_owner(request))
        body = frame.page("Search", _hits(asked, hits), served=books.articles, asked=asked[:CHARACTERS_MAX])
        return _answered(request, Kept.of(body))

    async def _books(self, request: Request) -> Library:
        """Everything that there is to read, which is read at the first question."""
        async with self._reading:
            if self._library is None:
                self._library = await aside(lambda: self._collect(self._schema()), owner=_owner(request))
        return self._library

    async def _searched(self, request: Request, books: Library) -> SearchIndex:
        """The index, which is made at the first search: an article at a time, so that others have their turn between."""
        async with self._indexing:
            if self._index is None:
                index = SearchIndex()
                for article in books.articles.values():
                    await aside(partial(index.add, article), owner=_owner(request))
                self._index = index
        return self._index

    async def _pay(self, request: Request, points: float) -> None:
        budget = self._door.rates.budget(None, address_of(request.scope))
        if budget is not None:
            await budget.spend(points)

    async def _refused(self, request: Request, over: OverBudget) -> Response:
        """Too many pages for this address; whoever asks on regardless waits for each refusal."""
        await self._door.rates.pause(_owner(request))
        body = frame.page("Too many requests", f"<h1>Too many requests</h1>\n<p>{escape(str(over))}</p>")
        seconds = max(math.ceil(over.retry_after_seconds), 1)
        headers = {"retry-after": str(seconds), "cache-control": "no-store"}
        return Response(body, 429, frame.HEADERS | headers, media_type="text/html")


def _owner(request: Request) -> str:
    """For whom something is done: addresses take turns."""
    return client_of(address_of(request.scope))


def _missing(books: Library) -> Response:
    said = f'<h1>No such page</h1>\n<p><a href="{HOME}">The documents</a> and the search know all that there are.</p>'
    body = frame.page("No such page", said, served=books.articles)
    return Response(body, 404, frame.HEADERS | {"cache-control": "no-store"}, media_type="text/html")


def _page(article: Article, books: Library) -> bytes:
    found = rendered(article, lambda link: books.address(link, article.source))
    html = found.html
    contents = frame.contents(found.headings)
    if contents:
        first, ending, rest = html.partition("</h1>\n")
        html = f"{first}{ending}{contents}{rest}" if ending else f"{contents}{html}"
    return frame.page(article.title, html, served=books.articles, address=article.address, module=article.module)


def _hits(asked: str, hits: list[Hit]) -> str:
    if not hits:
        return "<h1>Search</h1>\n<p>Nothing has all of these words. Fewer, or their beginnings, find more.</p>"
    items = "\n".join(_hit(one) for one in hits)
    return f'<h1>Search</h1>\n<p>Found for “{escape(asked[:CHARACTERS_MAX])}”:</p>\n<ol class="hits">\n{items}\n</ol>'


def _hit(hit: Hit) -> str:
    section = hit.section
    within = f" – {escape(section.title)}" if section.heading != section.title else ""
    link = f'<a href="{escape(section.address)}">{escape(section.heading)}</a>{within}'
    return f"<li>{link}\n<p>{escape(hit.snippet)}</p></li>"


def _answered(request: Request, kept: Kept, media_type: str = "text/html; charset=utf-8") -> Response:
    """The body, or that the client has it already."""
    headers = frame.HEADERS | {"etag": kept.tag, "cache-control": f"public, max-age={FRESH_SECONDS}"}
    if is_known(request.headers.get("if-none-match", ""), kept.tag):
        return Response(status_code=304, headers=headers)
    return Response(kept.body, headers=headers, media_type=media_type)
