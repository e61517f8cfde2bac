"""Reads forms as Stripe's clients write them (`metadata[order]=…`, `expand[0]=…`), and gives each value its type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

Parameters = dict[str, Any]
"""Texts, lists and more of the same, before the description has said what the texts are."""


def parsed(text: str) -> Parameters:
    """A form or a query."""
    root: Parameters = {}
    for key, value in parse_qsl(text, keep_blank_values=True):
        head, *rest = key.replace("]", "").split("[")
        node = root
        for name in [head, *rest][:-1]:
            node = node.setdefault(name or str(len(node)), {})
        last = rest[-1] if rest else head
        node[last or str(len(node))] = value
    return {key: _with_lists(value) for key, value in root.items()}


def _with_lists(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    inner = {key: _with_lists(value) for key, value in node.items()}
    if inner and all(key.isdigit() for key in inner):
        return [inner[key] for key in sorted(inner, key=int)]
    return inner


def typed(value: Any, schema: Mapping[str, Any]) -> Any:
    """The same with whole numbers and truths where the schema has them; what doesn't fit stays for the check to find."""
    if "anyOf" in schema:
        return _any_of(value, schema["anyOf"])
    kind = schema.get("type")
    if isinstance(value, dict) and kind == "object":
        known, other = schema.get("properties", {}), schema.get("additionalProperties", {})
        rest = other if isinstance(other, dict) else {}
        return {key: typed(each, known.get(key, rest)) for key, each in value.items()}
    if isinstance(value, list) and kind == "array":
        return [typed(each, schema.get("items", {})) for each in value]
    return _plain(value, kind)


def _any_of(value: Any, schemas: list[Mapping[str, Any]]) -> Any:
    """By the first alternative that makes something else of it; a text that is a text stays one."""
    fitting = [schema for schema in schemas if _shape(value) == schema.get("type", "string")]
    if fitting:
        return typed(value, fitting[0])
    return next((new for schema in schemas if (new := typed(value, schema)) is not value), value)


def _shape(value: Any) -> str:
    if isinstance(value, dict):
        return "object"
    return "array" if isinstance(value, list) else "text"


def _plain(value: Any, kind: str | None) -> Any:
    if not isinstance(value, str):
        return value
    if kind == "integer" and value.removeprefix("-").isdigit():
        return int(value)
    if kind == "boolean" and value in ("true", "false"):
        return value == "true"
    return value
