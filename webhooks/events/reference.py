"""Writes the reference of events as Markdown, from the catalogue: a page for each family, and an index with the envelope.

The manual shows it, and `docs/events` holds the same for whoever reads the repository.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, Final

from webhooks.events.catalogue import EventType, event_types

_GENERATED: Final = (
    "<!-- Written by `earnest events --write` from the classes of the events; changes here get lost. -->"
)

_INDEX: Final = """# Events

Everything that happens is an event of a contract or of an account. Endpoints, feeds and streams get the same events; the query `eventTypes` and `GET
/events.schema.json` have the JSON Schema of each, and the pages below the fields in words.

{table}

An endpoint is subscribed to types (`milestone.released`), families (`milestone.*`) or all (`*`).

## What is sent

The body of every request has the same shape. `event` is the stored event, byte for byte: the sha256 of exactly these bytes is its hash, which the next event of the same
stream names as `previousHash`. What stands beside it depends on the endpoint's `apiVersion` and may grow; the event itself never changes.

```json
{example}
```

| field of `data` | |
|---|---|
| `apiVersion` | the shape of what stands beside the event, as the endpoint is pinned to it |
| `cursor` | the event's place in the one log, the same as in feeds and streams; `null` for a test |
| `event` | the stored event: `id` (also the header `webhook-id`), `type`, `version` of its payload, `occurredAt`, `actor`, `stream` (the contract or account), `sequence` (1, 2, 3 … in its stream without gaps; 0 for a test), `previousHash`, `data` |
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
        event = one.schema["properties"]["data"]["properties"]["event"]
        parts += list(_payloads(event.get("oneOf", [event])))
        parts.append(f"```json\n{_json(_excerpt(one.example))}\n```")
    return "\n\n".join(parts) + "\n"


def _payloads(versions: list[Mapping[str, Any]]) -> Iterator[str]:
    """A table of the fields of each version of the payload."""
    for version in versions:
        payload = version["properties"]["data"]
        texts = payload["properties"].get("texts", {"properties": {}, "required": []})
        rows = [
            f"| `{name}` | {_kind(schema)}{'' if name in payload['required'] else ', optional'} |"
            for name, schema in payload["properties"].items()
            if name != "texts"
        ]
        rows += [
            f"| `texts.{name}` | hash of words{'' if name in texts['required'] else ', optional'} |"
            for name in texts["properties"]
        ]
        said = f" of version {version['properties']['version']['const']}" if len(versions) > 1 else ""
        yield (
            "\n".join([f"| field of `event.data`{said} | |", "|---|---|", *rows])
            if rows
            else (f"`event.data`{said} is empty.")
        )


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
