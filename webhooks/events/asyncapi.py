"""Describes the requests to webhook endpoints as AsyncAPI 3, with the shapes that the JSON Schemas have."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from escrow import release
from webhooks.events import schemas
from webhooks.events.catalogue import event_types

Json = Any

VERSION: Final = "3.0.0"

_SCHEMAS: Final = "#/components/schemas/"

_HEADERS: Final[Json] = {
    "type": "object",
    "properties": {
        "webhook-id": {"type": "string", "description": "The event's id: the same each time that it is sent."},
        "webhook-timestamp": {"type": "string", "pattern": "^[0-9]+$", "description": "When it was sent, in seconds."},
        "webhook-signature": {
            "type": "string",
            "description": "One signature or several with spaces between: `v1,` and an HMAC-SHA256, `v1a,` and an ed25519 "
            "signature in base64, of id, timestamp and body with full stops between.",
        },
    },
    "required": ["webhook-id", "webhook-timestamp", "webhook-signature"],
}


@cache
def document() -> Json:
    """The description of everything that is sent: one channel, which is an endpoint, and a message for each type."""
    found = event_types()
    shapes = schemas.shapes_of([one.name for one in found]) | schemas.shapes_of_others()
    names = {one.name: schemas.body_name(one.name) for one in found}
    messages = [_message(one.name, one.description, names[one.name], one.example) for one in found]
    return {
        "asyncapi": VERSION,
        "info": {
            "title": "Webhooks of Earnest",
            "version": release.VERSION,
            "description": "What is sent to webhook endpoints, by Standard Webhooks 1.0. Later releases send more types, and "
            "more fields of objects: read what is not here as `OtherBody`, and pass over fields that you don't know.",
        },
        "defaultContentType": "application/json",
        "channels": {
            "endpoint": {
                "description": "A webhook endpoint: its address is the `url` that it was made with.",
                "address": None,
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names.values()},
            }
        },
        "operations": {
            "sendEvent": {
                "action": "send",
                "summary": "Each event once, in the order of its stream, until it is answered with 2xx.",
                "channel": {"$ref": "#/channels/endpoint"},
                "messages": [{"$ref": f"#/channels/endpoint/messages/{name}"} for name in names.values()],
                "bindings": {"http": {"method": "POST", "bindingVersion": "0.3.0"}},
            }
        },
        "components": {
            "messages": {one["name"]: one for one in messages},
            "schemas": _placed(shapes) | {"WebhookHeaders": _HEADERS},
        },
    }


def _message(kind: str, description: str, name: str, example: Json) -> Json:
    return {
        "name": name,
        "title": kind,
        "summary": description,
        "headers": {"$ref": f"{_SCHEMAS}WebhookHeaders"},
        "payload": {"$ref": f"{_SCHEMAS}{name}"},
        "examples": [{"payload": example}],
    }


def _placed(schema: Json) -> Json:
    """The same schema with its references to where AsyncAPI has shapes."""
    if isinstance(schema, list):
        return [_placed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: value.replace("#/$defs/", _SCHEMAS) if key == "$ref" else _placed(value) for key, value in schema.items()
    }
