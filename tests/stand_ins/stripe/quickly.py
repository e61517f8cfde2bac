"""Says quickly that something is as a schema of Stripe's description says: each schema becomes a function, once.

It knows the keywords that the description uses, and none but these. Where it says no, the validator of the whole standard is
asked, which has the last word and the words for it; a test compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

Fits = Callable[[Any], bool]
"""Whether something is as its schema says."""

KNOWN: Final = frozenset(
    {"$ref", "additionalProperties", "anyOf", "enum", "items", "maxLength", "nullable", "pattern", "properties"}
    | {"required", "type"}
)
MEANT_FOR_PEOPLE: Final = frozenset({"deprecated", "description", "format", "title"})
"""Formats are asserted by nobody here."""

TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str, bytes),
    "object": (dict,),
    "array": (list,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


class Quick:
    """Functions of schemas; what `$ref` names is found in `components`."""

    def __init__(self, components: Mapping[str, Any], document: str) -> None:
        self._components = components
        self._prefix = f"{document}#/components/schemas/"
        self._named: dict[str, Fits] = {}

    def made(self, schema: Mapping[str, Any]) -> Fits:
        """The function of a schema. One with a keyword that isn't known fits nothing, so that the standard is asked."""
        if not schema.keys() <= KNOWN | MEANT_FOR_PEOPLE:
            return lambda _: False
        if "$ref" in schema:
            return self._reference(schema["$ref"])
        parts = [part for part in (self._any_of(schema), _one_of(schema), self._typed(schema)) if part is not None]
        return parts[0] if len(parts) == 1 else _all(parts)

    def _reference(self, ref: str) -> Fits:
        name = ref.removeprefix(self._prefix)

        def fits(thing: Any) -> bool:
            found = self._named.get(name)
            if found is None:
                found = self._named[name] = self.made(self._components[name])
            return found(thing)

        return fits

    def _any_of(self, schema: Mapping[str, Any]) -> Fits | None:
        if "anyOf" not in schema:
            return None
        ways = [self.made(one) for one in schema["anyOf"]]

        def fits(thing: Any) -> bool:
            for way in ways:  # noqa: SIM110 - a generator takes twice as long
                if way(thing):
                    return True
            return False

        return fits

    def _typed(self, schema: Mapping[str, Any]) -> Fits | None:
        kind = schema.get("type")
        if kind is None:
            # What says of what is inside, but not that there is an inside, is left to the standard.
            says_more = schema.keys() & {
                "additionalProperties",
                "items",
                "maxLength",
                "pattern",
                "properties",
                "required",
            }
            return (lambda _: False) if says_more else None
        inside = self._inside(kind, schema)
        allowed = frozenset(TYPES[kind]) | ({type(None)} if schema.get("nullable") is True else frozenset())
        if inside is None:
            return lambda thing: type(thing) in allowed
        return lambda thing: type(thing) in allowed and (thing is None or inside(thing))

    def _inside(self, kind: str, schema: Mapping[str, Any]) -> Fits | None:
        if kind == "object":
            return self._object(schema)
        if kind == "array" and "items" in schema:
            each = self.made(schema["items"])
            return lambda things: all(map(each, things))
        if kind == "string" and ("maxLength" in schema or "pattern" in schema):
            longest = schema.get("maxLength", float("inf"))
            pattern = re.compile(schema.get("pattern", ""))
            return lambda text: len(text) <= longest and pattern.search(text) is not None
        return None

    def _object(self, schema: Mapping[str, Any]) -> Fits:
        known = {name: self.made(one) for name, one in schema.get("properties", {}).items()}
        required = frozenset(schema.get("required", ()))
        rest = schema.get("additionalProperties", True)
        other: Fits = self.made(rest) if isinstance(rest, dict) else lambda _: bool(rest)

        find = known.get

        def fits(thing: dict[str, Any]) -> bool:
            if not required <= thing.keys():
                return False
            for name, value in thing.items():  # noqa: SIM110 - a generator takes twice as long
                if not find(name, other)(value):
                    return False
            return True

        return fits


def _all(parts: Sequence[Fits]) -> Fits:
    def fits(thing: Any) -> bool:
        for part in parts:  # noqa: SIM110 - a generator takes twice as long
            if not part(thing):
                return False
        return True

    return fits


def _one_of(schema: Mapping[str, Any]) -> Fits | None:
    if "enum" not in schema:
        return None
    allowed = frozenset(schema["enum"])
    return lambda thing: isinstance(thing, str | int | None) and thing in allowed
