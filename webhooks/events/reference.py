"""Writes the reference of events as Markdown, from the catalogue: a page for each family, and an index with the envelope.

The manual shows it, and `docs/events` holds the same for whoever reads the repository.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, Final

from escrow import codec
from webhooks.events.catalogue import EventType, event_types
from webhooks.events.schemas import versions_of
from webhooks.events.words import meaning

_GENERATED: Final = (
    "<!-- Written by `earnest events --write` from the classes of the events; changes here get lost. -->"
)

_INDEX: Final = """# Events

Everything that happens is an event of a contract or of an account. Endpoints, feeds and streams get the same events; the query `eventTypes` and `GET
/events.schema.json` have the JSON Schema of each, and the pages below the fields in words.

{table}

An endpoint is subscribed to types (`milestone.released`), families (`milestone.*`) or all (`*`).

## Types for your program

All of it is made from the same classes:

| | |
|---|---|
| `GET /events.schema.json` | JSON Schema 2020-12 of the bodies of webhooks: one union, `EventBody`, told apart by `type`; every shape has its own name |
| `GET /asyncapi.json` | AsyncAPI 3 of the same webhooks, with the headers of a request |
| `GET /schema.graphql` | `Event` is an interface in GraphQL, and each event a type of its own: `... on MilestoneReleased {{ milestoneId amount {{ amount currency }} }}` |

One command makes models of the JSON Schema, in one file:

```
datamodel-codegen --input events.schema.json --input-file-type jsonschema --output-model-type pydantic_v2.BaseModel \\
    --use-annotated --snake-case-field --target-python-version 3.11 --output events.py
json2ts --input events.schema.json --output events.ts --no-additionalProperties
```

Of `milestone.released` come `MilestoneReleasedBody` (the body of a request), `MilestoneReleased` (the stored event), `MilestoneReleasedData` and `MilestoneReleasedTexts`.

**What you don't know yet.** Later releases add types of events, fields that may be absent, and values of enumerations; a payload that changes otherwise has another `version`. A reader survives all of
them if it passes over fields that it doesn't know, and reads a body of no type that it knows, or that doesn't fit its type, as `OtherBody`: keep it or ignore it, and answer with 2xx.

```python
def read(raw: bytes) -> EventBody | OtherBody:
    try:
        return EventBody.model_validate_json(raw)
    except ValidationError:
        return OtherBody.model_validate_json(raw)
```

In TypeScript a `switch` over `type` has a `default`. In GraphQL an event of a type that your document doesn't name still answers `__typename`, the fields of `Event`, and in `body` all that it says;
while a release is rolled out, it may be an `OtherEvent`.

## What is sent

The body of every request has the same shape. `event` is the stored event, byte for byte: the sha256 of exactly these bytes is its hash, which the next event of the same
stream names as `previousHash`. What stands beside it depends on the endpoint's `apiVersion` and may grow; the event itself never changes.

```json
{example}
```

| field of `data` | |
|---|---|
| `apiVersion` | the shape of what stands beside the event, as the endpoint is pinned to it |
| `cursor` | the event's place in the one log, the same as in feeds and streams; `null` for a test and for `log.cut`, which stand in no log |
| `event` | the stored event: `id` (also the header `webhook-id`), `type`, `version` of its payload, `occurredAt`, `actor`, `stream` (the contract or account), `sequence` (1, 2, 3 … in its stream without gaps; 0 where `cursor` is `null`), `previousHash`, `data` |
| `texts` | people's words, by field, each with its `salt`: `data.texts` of the event holds the sha256 of the salt's bytes and the text's canonical JSON. A field is `null` once its words were erased |
| `textsOmitted` | the fields whose words would have made the body 20 kB or longer; `node(id: "evt_…") {{ ... on Event {{ texts {{ field value salt }} }} }}` has them |
| `replay` | whether the endpoint's owner asked for it to be sent once more |
| `previousFailed` | the event before it in the same stream, if delivering that one was given up |
| `test` | `true` if it never happened and somebody tries the endpoint |
"""  # noqa: E501 - lines of Markdown


def pages() -> dict[str, str]:
    """The text of each page by the name of its file."""
    families = {name: list(found) for name, found in groupby(event_types(), key=lambda one: one.family)}
    return {"README.md": _index(families)} | {f"{name}.md": _page(name, found) for name, found in families.items()}


def _index(families: Mapping[str, list[EventType]]) -> str:
    rows = ["| family | events |", "|---|---|"]
    for name, found in families.items():
        links = ", ".join(f"[`{one.name}`]({name}.md#{_anchor(one.name)})" for one in found)
        rows.append(f"| [`{name}.*`]({name}.md) | {links} |")
    example = next(one.example for one in event_types() if one.name == "milestone.submitted")
    return f"{_GENERATED}\n\n" + _INDEX.format(table="\n".join(rows), example=_json(example))


def _page(family: str, found: Iterable[EventType]) -> str:
    parts = [_GENERATED, f"# `{family}.*`", "[All events](README.md)"]
    for one in found:
        parts += [f"## {one.name}", one.description]
        parts += list(_payloads(one.name))
        parts.append(f"```json\n{_json(_excerpt(one.example))}\n```")
    return "\n\n".join(parts) + "\n"


def _payloads(name: str) -> Iterator[str]:
    """A table of the fields of each version of the payload."""
    classes = versions_of(name)
    for event_class in classes:
        fields = sorted(codec.fields_of(event_class), key=lambda field: field.is_text)
        rows = [_row(event_class.__name__, field) for field in fields]
        said = f" of version {event_class.schema_version}" if len(classes) > 1 else ""
        yield (
            "\n".join([f"| field of `event.data`{said} | | |", "|---|---|---|", *rows])
            if rows
            else (f"`event.data`{said} is empty.")
        )


def _row(owner: str, field: codec.FieldCodec) -> str:
    name = f"texts.{field.key}" if field.is_text else field.key
    kind = "hash of words" if field.is_text else _kind(field.codec.schema)
    return f"| `{name}` | {kind}{', optional' if field.optional else ''} | {meaning(owner, field.key)} |"


def _kind(schema: Mapping[str, Any]) -> str:
    """What a value is, in a few words."""
    if "enum" in schema:
        return "one of " + ", ".join(f"`{value}`" for value in schema["enum"])
    if schema["type"] == "array":
        return f"list: {_kind(schema['items'])}"
    if schema["type"] == "object":
        inner = schema["properties"]
        if set(inner) == {"amount", "currency"}:
            return "money"
        return "`{` " + ", ".join(f"`{name}`: {_kind(one)}" for name, one in inner.items()) + " `}`"
    formats = {"date-time": "time", "date": "date"}
    return formats.get(
        schema.get("format", ""), {"string": "text", "integer": "number"}.get(schema["type"], "yes or no")
    )


def _excerpt(example: Mapping[str, Any]) -> Mapping[str, Any]:
    """What differs between types."""
    data = example["data"]
    return {"event": {"type": data["event"]["type"], "data": data["event"]["data"]}, "texts": data["texts"]}


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _anchor(heading: str) -> str:
    """As GitHub makes it of a heading."""
    return heading.replace(".", "")
