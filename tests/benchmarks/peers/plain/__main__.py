"""Serves it: `python -m tests.benchmarks.peers.plain`. Parsed and validated documents are kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

import strawberry
from graphql import GraphQLError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.dataloader import DataLoader
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.schema.config import StrawberryConfig

from escrow import database, models
from tests.benchmarks.peers.plain.commands import Mutation
from tests.benchmarks.peers.plain.queries import Query, milestones_for, plans
from tests.benchmarks.peers.plain.types import (
    Context,
    Cursor,
)
from tests.benchmarks.peers.serving import POOL, database_url, serve

DOCUMENTS_MAX: Final = 1000


class Endpoint(GraphQL[Context, None]):
    """Strawberry's own application, with the key of the request in its context."""

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        digest = sha256(token.encode()).digest()
        key = await models.ApiKey.filter(secret_sha256=digest, revoked_at=None).first()
        if key is None or (key.expires_at is not None and key.expires_at <= datetime.now(UTC)):
            raise GraphQLError("no such key")
        return Context(key, DataLoader(load_fn=plans), milestones_for(key.account_id))


@asynccontextmanager
async def _connected(_: Starlette) -> AsyncIterator[None]:
    await database.connect(database_url(), pool_size=POOL)
    try:
        yield
    finally:
        await database.disconnect()


if __name__ == "__main__":
    schema = strawberry.Schema(
        query=Query,
        mutation=Mutation,
        extensions=[lambda: ParserCache(DOCUMENTS_MAX), lambda: ValidationCache(DOCUMENTS_MAX)],
        config=StrawberryConfig(
            scalar_map={Cursor: strawberry.scalar(name="Cursor", serialize=str, parse_value=Cursor)}
        ),
    )
    serve(Starlette(routes=[Route("/graphql", Endpoint(schema))], lifespan=_connected))
