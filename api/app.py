"""Puts the web application together: `create_app` makes what `earnest web` serves under uvicorn.

One function per path; what stands around all of them (trace ids, masked failures, pages of other origins, what pages cost) is
middleware.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from typing import Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from api.calendars import calendar_feed
from api.console import policies
from api.console.showing import EXPLORERS_FILES, Console
from api.console.showing import HOME as CONSOLE
from api.couplings import take_knock
from api.graphql_over_http import GraphQLEndpoint
from api.health import healthz, readyz
from api.identity_tokens import IdentityTokens
from api.live.door import Door
from api.live.websocket import WebSocketEndpoint
from api.manual.articles import HOME
from api.manual.site import Manual
from api.metrics import metrics
from api.origin import CrossOrigin, origins_of
from api.pages import start_page
from api.providers import ProviderNotices
from api.rates.budgets import Rates
from api.receivers import event_messages, event_schemas, webhook_keys
from api.straight import Straight
from api.tolls import Tolls
from api.tracing import Tracing
from escrow import bell, bookmarks, clock, database, replica, terms, vault
from escrow.accounts import links
from escrow.aside import aside
from escrow.payments import Provider, payees, provider_of
from escrow.settings import Settings, compilation
from schema import error_codes
from schema.build import executable, runner, sdl


def create_app(settings: Settings | None = None, *, provider: Provider | None = None) -> Starlette:
    """The application; `settings` from the environment, and the `provider` by them, unless given.

    It connects when it starts and lets go when it ends.
    """
    chosen = settings or Settings.from_environment()
    door = Door(runner=runner(compilation(), sandbox=chosen.sandbox, only_registered=chosen.only_registered_documents))
    console = Console(explores=chosen.explorer)
    manual = Manual(
        door, lambda: executable(sandbox=chosen.sandbox), explorer=console.explorer if chosen.explorer else None
    )
    graphql, socket = GraphQLEndpoint(door, page=manual.at_graphql), WebSocketEndpoint(door)
    _decided(chosen, door)
    provider = provider or provider_of(chosen)
    terms.use(provider.terms)
    payees.use(provider)
    app = Application(
        routes=[
            Route("/", console.page if chosen.sandbox else start_page),
            Route("/about", start_page),
            Route(CONSOLE, console.page),
            Route(policies.REPORTS, policies.take_reports, methods=["POST"]),
            Route(f"{CONSOLE}/{{name:path}}", console.module),
            Route(f"{EXPLORERS_FILES}/{{name:path}}", console.explorers_file),
            Route(HOME, manual.docs),
            Route(f"{HOME}/{{rest:path}}", manual.docs),
            Route("/graphql", graphql),
            WebSocketRoute("/graphql", socket),
            Route("/schema.graphql", _schema_text(sandbox=chosen.sandbox)),
            Route("/calendar/{token}.ics", calendar_feed),
            Route("/events.schema.json", event_schemas),
            Route("/asyncapi.json", event_messages),
            Route("/.well-known/webhook-keys", webhook_keys),
            Route("/providers/{name}", ProviderNotices(provider).take, methods=["POST"]),
            Route("/couplings/{name}", take_knock, methods=["POST"]),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics(token=chosen.metrics_token, is_open=chosen.sandbox)),
        ],
        middleware=[
            Middleware(CrossOrigin, door, path="/graphql"),
            Middleware(Tracing),
            Middleware(PastTheRouter, path="/graphql", http=graphql, websocket=socket),
            Middleware(Tolls, door),
        ],
        lifespan=_connected(chosen, door, provider),
    )
    app.straight = Straight(graphql, path="/graphql")
    app.state.door = door
    return app


def _schema_text(*, sandbox: bool) -> Callable[[Request], Awaitable[Response]]:
    @cache
    def text() -> bytes:
        return sdl(sandbox=sandbox).encode()

    async def schema_text(_: Request) -> Response:
        """The schema in GraphQL's own language; printed once."""
        printed = await aside(text, owner=None)
        return PlainTextResponse(printed, headers={"x-content-type-options": "nosniff"})

    return schema_text


class Application(Starlette):
    """Starlette's, past which GraphQL is handed straight to who answers it: all else costs more than a small query."""

    straight: Straight | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.straight is not None and self.straight.takes(scope):
            await self.straight(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


class PastTheRouter:
    """Hands all other requests for one path to who answers them."""

    def __init__(self, app: ASGIApp, *, path: str, http: ASGIApp, websocket: ASGIApp) -> None:
        self._app = app
        self._path = path
        self._to: Final = {"http": http, "websocket": websocket}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._to.get(scope["type"], self._app) if scope.get("path") == self._path else self._app
        await app(scope, receive, send)


def _decided(settings: Settings, door: Door) -> None:
    """What the deployment decided, told to those who act by it."""
    door.sandbox = settings.sandbox
    door.reach = settings.webhook_reach
    door.rates = Rates(settings.points_per_second)
    door.milestone_url = settings.milestone_url
    door.allowed_origins = settings.allowed_origins
    door.own_origins = origins_of(settings.public_url)
    if settings.identity is not None:
        door.authentication.identity = IdentityTokens(settings.identity)
    vault.use(settings.secret_keys)
    error_codes.use(settings.public_url)
    links.use(settings.public_url or settings.local_url)


def _connected(
    settings: Settings, door: Door, provider: Provider
) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await database.connect(settings.database_url)
        try:
            await clock.check_real(sandbox=settings.sandbox)
            await bell.connect(settings.redis_url)
            if settings.read_url is not None:
                await bookmarks.connect(settings.redis_url)
                await replica.connect(settings.read_url, primary_url=settings.database_url)
            door.rates.connect(settings.redis_url)
            door.authentication.usage.start()
            door.refusals.start()
            with door.authentication.keys.listening():
                async with door.with_annex(settings.database_url):
                    yield
        finally:
            await door.connections.stop()
            await door.authentication.usage.stop()
            await door.refusals.stop()
            await door.rates.disconnect()
            await provider.close()
            await replica.disconnect()
            await bookmarks.disconnect()
            await bell.disconnect()
            await database.disconnect()

    return lifespan
