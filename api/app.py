"""Puts the web application together: `create_app` makes what `earnest web` serves under uvicorn.

One function per path; what stands around all of them (trace ids, masked failures) is middleware.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from api.calendars import calendar_feed
from api.graphql_over_http import GraphQLEndpoint
from api.health import healthz, readyz
from api.live.door import Door
from api.live.websocket import WebSocketEndpoint
from api.metrics import metrics
from api.pages import start_page
from api.receivers import event_schemas, webhook_keys
from api.tracing import Tracing
from escrow import bell, database
from escrow.settings import Settings
from schema.build import runner, sdl
from webhooks.request import secrets


def create_app(settings: Settings | None = None) -> Starlette:
    """The application; `settings` from the environment unless given. It connects when it starts and lets go when it ends."""
    door = Door(runner=runner())
    graphql, socket = GraphQLEndpoint(door), WebSocketEndpoint(door)
    if settings is not None:
        _decided(settings, door)
    app = Starlette(
        routes=[
            Route("/", start_page),
            Route("/graphql", graphql),
            WebSocketRoute("/graphql", socket),
            Route("/schema.graphql", schema_text),
            Route("/calendar/{token}.ics", calendar_feed),
            Route("/events.schema.json", event_schemas),
            Route("/.well-known/webhook-keys", webhook_keys),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
        ],
        middleware=[Middleware(Tracing), Middleware(Straight, path="/graphql", http=graphql, websocket=socket)],
        lifespan=_connected(settings, door),
    )
    app.state.door = door
    return app


async def schema_text(_: Request) -> Response:
    """The schema in GraphQL's own language."""
    return PlainTextResponse(sdl(), headers={"x-content-type-options": "nosniff"})


class Straight:
    """Hands requests for one path straight to who answers them: past the router, which would cost as much as a small query."""

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
    secrets.use(settings.secret_keys)


def _connected(settings: Settings | None, door: Door) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        chosen = settings or Settings.from_environment()
        _decided(chosen, door)
        await database.connect(chosen.database_url)
        try:
            await bell.connect(chosen.redis_url)
            door.authentication.usage.start()
            with door.authentication.keys.listening():
                yield
        finally:
            await door.connections.stop()
            await door.authentication.usage.stop()
            await bell.disconnect()
            await database.disconnect()

    return lifespan
