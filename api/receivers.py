"""Serves what receivers of webhooks may read without credentials: the schemas of payloads, and the public keys that sign them."""

from __future__ import annotations

from functools import cache
from typing import Final
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response

from escrow import ids
from escrow.aside import aside
from escrow.codec import print_time
from webhooks.events import asyncapi, catalogue
from webhooks.request.public_keys import public_keys

_FRESH_SECONDS: Final = 300
"""Keys may be kept for so long: a rotation overlaps by hours."""

_HEADERS: Final = {"x-content-type-options": "nosniff", "access-control-allow-origin": "*"}


async def event_schemas(_: Request) -> Response:
    """The JSON Schemas of everything that is sent, by type."""
    return Response(await aside(_schema_text, owner=None), media_type="application/schema+json", headers=_HEADERS)


@cache
def _schema_text() -> bytes:
    return orjson.dumps(catalogue.schema_document(), option=orjson.OPT_INDENT_2)


async def event_messages(_: Request) -> Response:
    """The requests to webhook endpoints as AsyncAPI."""
    return Response(await aside(_messages_text, owner=None), media_type="application/json", headers=_HEADERS)


@cache
def _messages_text() -> bytes:
    return orjson.dumps(asyncapi.document(), option=orjson.OPT_INDENT_2)


async def webhook_keys(request: Request) -> Response:
    """The ed25519 keys that sign now: of one `endpoint`, or of all, page by page."""
    endpoint_id, after = request.query_params.get("endpoint"), request.query_params.get("after")
    for name, value in (("endpoint", endpoint_id), ("after", after)):
        if value is not None and not ids.is_a(ids.Kind.ENDPOINT, value):
            return _answer({"error": f"{name} is the identifier of an endpoint, such as whe_…."}, status=400)
    keys, following = await public_keys(endpoint_id=endpoint_id, after=after)
    shown: dict[str, object] = {
        "keys": [
            {
                "endpoint": key.endpoint_id,
                "algorithm": "ed25519",
                "publicKey": key.public_key,
                "expiresAt": print_time(key.expires_at) if key.expires_at is not None else None,
            }
            for key in keys
        ]
    }
    if following is not None:
        shown["next"] = f"{request.url.path}?{urlencode({'after': following})}"
    return _answer(shown)


def _answer(content: dict[str, object], *, status: int = 200) -> Response:
    caching = {"cache-control": f"public, max-age={_FRESH_SECONDS}" if status == 200 else "no-store"}
    return Response(orjson.dumps(content), status, media_type="application/json", headers=_HEADERS | caching)
