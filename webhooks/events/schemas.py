"""Makes the JSON Schemas of what is sent from the classes of the events, so that generators make good classes of them.

Every shape has a name of its own under `$defs`, and shapes that are shared are named once: money, actors, enumerations, words.
Of an event `milestone.released` come `MilestoneReleased`, the stored event; `MilestoneReleasedData`, what changed;
`MilestoneReleasedTexts`, the words beside it; and `MilestoneReleasedBody`, what is sent, with `MilestoneReleasedContent` in it.

Objects are open: a field that is new is no reason to refuse what is known. A type, or a version of one, that is new reads as
the shape for all others, `OtherBody`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from escrow import codec, log
from escrow.access import ActorKind
from escrow.agreement.events import WITHHELD, Event
from escrow.ids import Kind
from webhooks.events.examples import KINDS
from webhooks.events.unlogged import UNLOGGED
from webhooks.events.words import meaning

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

Json = Any
Shapes = dict[str, Json]
"""Shapes by their names, as they stand under `$defs`."""

_HASH: Final[Json] = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_TIME: Final[Json] = {"type": "string", "format": "date-time"}
_CURSOR: Final = "^cur_[0-9a-z]{13}$"
_SALT: Final[Json] = {"type": "string", "pattern": f"^[0-9a-f]{{{2 * log.SALT_BYTES}}}$"}
_NULL: Final[Json] = {"type": "null"}


def reference(name: str) -> Json:
    """Where a shape of this name is described."""
    return {"$ref": f"#/$defs/{name}"}


def described(event_class: type[Event]) -> str:
    """What an event's class says of it, in one line of Markdown."""
    return codec.in_words(event_class)


def versions_of(name: str) -> list[type[Event]]:
    """The classes of an event's type, the latest last: one for each version of its payload."""
    if name in UNLOGGED:
        return [UNLOGGED[name]]
    return [event_class for (kind, _), event_class in sorted(log.CATALOGUE.items()) if kind == name]


def body_name(name: str) -> str:
    """The name of the shape that a body of this type has."""
    return f"{versions_of(name)[-1].__name__}Body"


def shapes_of(names: Iterable[str]) -> Shapes:
    """Every shape in the bodies of these types, by name, whichever version of the event they carry."""
    found: Shapes = {}
    for name in names:
        _add_body(name, found)
    return dict(sorted(found.items()))


def union_of(names: list[str]) -> Json:
    """A body of one of these types, which says itself of which."""
    references = {name: reference(body_name(name)) for name in names}
    return {
        "description": "A body of a type that this document knows.",
        "oneOf": list(references.values()),
        "discriminator": {
            "propertyName": "type",
            "mapping": {name: one["$ref"] for name, one in references.items()},
        },
    }


def shapes_of_others() -> Shapes:
    """What is known of bodies and events whatever their type is."""
    found: Shapes = {}
    anything: Json = {"type": "object", "additionalProperties": True}
    kind: Json = {"type": "string", "description": "A type that this document doesn't know, or not in this version."}
    found["OtherEvent"] = _event_schema(kind, {"type": "integer", "minimum": 1}, anything, found) | {
        "description": "The stored event of a type, or of a version of one, that this document doesn't know."
    }
    found["OtherContent"] = _content_schema([reference("OtherEvent")], anything)
    found["OtherBody"] = _body_schema(kind, "OtherContent") | {
        "description": "A body of a type, or of a version of one, that this document doesn't know: keep it, or ignore it."
    }
    return found


def _add_body(name: str, found: Shapes) -> None:
    classes = versions_of(name)
    latest, kind = classes[-1].__name__, {"const": name}
    for event_class in classes:
        version = {"const": event_class.schema_version}
        data = _data_schema(event_class, found)
        found[event_class.__name__] = _event_schema(kind, version, data, found) | {
            "description": described(event_class)
        }
    texts = _texts_schema(classes, latest, found)
    found[f"{latest}Content"] = _content_schema([reference(one.__name__) for one in classes], texts)
    found[f"{latest}Body"] = _body_schema(kind, f"{latest}Content") | {"description": described(classes[-1])}


def _body_schema(kind: Json, content: str) -> Json:
    return {
        "type": "object",
        "properties": {
            "type": kind,
            "timestamp": _TIME | {"description": "When it happened: the event's `occurredAt`."},
            "data": reference(content),
        },
        "required": ["type", "timestamp", "data"],
    }


def _content_schema(events: list[Json], texts: Json) -> Json:
    return {
        "type": "object",
        "description": "The stored event, and what stands beside it.",
        "properties": {
            "apiVersion": {
                "type": "string",
                "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
                "description": "The shape of what stands beside the event.",
            },
            "cursor": {
                "type": ["string", "null"],
                "pattern": _CURSOR,
                "description": "The event's place in the log, the same as in feeds and streams; null for what is in none.",
            },
            "event": events[0] if len(events) == 1 else {"anyOf": events},
            "texts": texts,
            "textsOmitted": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Texts that would have made the body too long; the API has them.",
            },
            "replay": {"type": "boolean", "description": "Whether the endpoint's owner asked for it once more."},
            "previousFailed": {
                "type": "string",
                "pattern": id_pattern(Kind.EVENT),
                "description": "The event before it of the same contract, if delivering that one was given up.",
            },
            "test": {"const": True, "description": "There if it never happened: somebody tests the endpoint."},
        },
        "required": ["apiVersion", "cursor", "event", "texts", "replay"],
    }


def _event_schema(kind: Json, version: Json, data: Json, found: Shapes) -> Json:
    found |= {"Actor": _ACTOR, "ActorKind": _ACTOR_KIND}
    properties = {
        "id": {"type": "string", "pattern": id_pattern(Kind.EVENT)},
        "type": kind,
        "version": version,
        "occurredAt": _TIME,
        "actor": reference("Actor"),
        "stream": {"type": "string", "pattern": id_pattern(Kind.ACCOUNT, Kind.CONTRACT)},
        "sequence": {
            "type": "integer",
            "minimum": 0,
            "description": "Its place in its stream: 1, 2, 3; 0 for what is in no log.",
        },
        "previousHash": {"anyOf": [_HASH, _NULL]},
        "data": data,
    }
    return {"type": "object", "properties": properties, "required": list(properties)}


def _data_schema(event_class: type[Event], found: Shapes) -> Json:
    """What changed; the hashes of people's words are one shape for all, and the words' names stand in the texts."""
    schema = _hoisted(event_class.__name__, codec.payload_schema(event_class), found)
    if not schema["properties"]:
        name = "NoData"
        schema["description"] = "Nothing but the fact itself."
    else:
        name = f"{event_class.__name__}Data"
        schema["description"] = f"What `{event_class.type}` tells."
    if "texts" in schema["properties"]:
        found["TextHashes"] = _TEXT_HASHES
        schema["properties"]["texts"] = reference("TextHashes")
    found[name] = schema
    return reference(name)


def _texts_schema(classes: list[type[Event]], latest: str, found: Shapes) -> Json:
    """People's words by field: `null` once erased, and absent if they were never said or are too long."""
    fields = {
        field.key: field.codec.schema
        for event_class in classes
        for field in codec.fields_of(event_class)
        if field.is_text and field.key not in WITHHELD
    }
    name = f"{latest}Texts" if fields else "NoTexts"
    found[name] = {
        "type": "object",
        "properties": {
            key: {"anyOf": [_salted(_shared(schema, found), found), _NULL], "description": meaning(latest, key)}
            for key, schema in sorted(fields.items())
        },
        "description": "People's words beside the event, which holds the sha256 of salt and canonical text.",
    }
    return reference(name)


def _salted(text: Json, found: Shapes) -> Json:
    """Words with their salt; a list of a shape is named by the shape."""
    inner = text.get("items", text)
    name = f"Salted{inner['$ref'].rpartition('/')[2] if '$ref' in inner else 'Text'}{'List' if 'items' in text else ''}"
    found[name] = {
        "type": "object",
        "description": "Words, and the salt that was hashed with them.",
        "properties": {"salt": _SALT, "text": text},
        "required": ["salt", "text"],
    }
    return reference(name)


def _hoisted(owner: str, schema: Json, found: Shapes) -> Json:
    """An object with its fields described and its named parts taken out."""
    properties = {}
    for key, inner in schema["properties"].items():
        shown = _shared(inner, found)
        if key == "texts":
            properties[key] = shown
            continue
        kind = KINDS.get(_snake(key.removesuffix("s")) if key.endswith("Ids") else _snake(key))
        if kind is not None:
            pattern = {"type": "string", "pattern": id_pattern(kind)}
            shown = shown | ({"items": pattern} if "items" in shown else pattern)
        # Beside a reference some generators take a description for another shape.
        properties[key] = shown if "$ref" in shown else shown | {"description": meaning(owner, key)}
    return {"type": "object", "properties": properties, "required": list(schema["required"])}


def _shared(schema: Json, found: Shapes) -> Json:
    """A shape that has a name is described once, and referred to."""
    if schema["type"] == "array":
        return schema | {"items": _shared(schema["items"], found)}
    name = schema.get("title")
    if name is None:
        return {key: value for key, value in schema.items() if key != "additionalProperties"}
    if name not in found:
        plain = {key: value for key, value in schema.items() if key not in ("title", "additionalProperties")}
        found[name] = plain | _hoisted(name, schema, found) if "properties" in schema else plain
    return reference(name)


def _snake(key: str) -> str:
    return "".join(f"_{one.lower()}" if one.isupper() else one for one in key)


def id_pattern(*kinds: Kind) -> str:
    """What identifiers of these kinds look like, as a regular expression."""
    prefixes = "|".join(kind.value for kind in kinds)
    return f"^{f'({prefixes})' if len(kinds) > 1 else prefixes}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$"


_ACTOR_KIND: Final[Mapping[str, Any]] = {
    "type": "string",
    "description": "An account, the operator, the payment provider, the clock, or the service itself.",
    "enum": [kind.value for kind in ActorKind],
}

_ACTOR: Final[Mapping[str, Any]] = {
    "type": "object",
    "description": "Who caused it.",
    "properties": {
        "kind": reference("ActorKind"),
        "account": {"type": "string", "pattern": id_pattern(Kind.ACCOUNT)},
        "member": {"type": "string", "pattern": id_pattern(Kind.MEMBER)},
        "key": {"type": "string", "pattern": id_pattern(Kind.KEY)},
        "session": {"type": "string", "pattern": id_pattern(Kind.SESSION)},
    },
    "required": ["kind"],
}

_TEXT_HASHES: Final[Mapping[str, Any]] = {
    "type": "object",
    "description": "The salted hashes of people's words, by field.",
    "additionalProperties": _HASH,
}
