"""Makes random operations that are valid for a schema, with variables that fit them or not."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    is_leaf_type,
)
from graphql.type import is_required_argument, is_required_input_field

SAMPLES: dict[str, tuple[Any, ...]] = {
    "ID": ("ctr_1", "msn_2", ""),
    "String": ("", "a word", "é\u2028"),
    "Boolean": (True, False),
    "Int": (0, 1, 50, -7, 2**31 - 1),
    "Float": (0.5, -1.25, 3.0),
    "DateTime": ("2026-03-31T12:00:00Z", "2026-03-31T12:00:00+02:00"),
    "Date": ("2026-03-31",),
    "Duration": ("P14D", 3600),
    "Decimal": ("1250.00", "0"),
    "CurrencyCode": ("USD", "BHD"),
    "Cursor": ("abc", "latest"),
    "JSON": ({"a": [1, None]}, "text", 7),
}
"""Values that fit each scalar, as JSON."""

WRONG: tuple[Any, ...] = (None, True, 1.5, 2**40, "no such value", [], {}, {"odd": 1}, [None], ["x", 3])
"""Values that fit some types and not others."""


@dataclass(frozen=True, slots=True)
class Document:
    """A text, and the variables that come with it."""

    text: str
    variables: dict[str, Any]


def document(schema: GraphQLSchema, rng: random.Random) -> Document:
    """A random operation; nearly always valid, since arguments of fields under one key may differ."""
    return _Maker(schema, rng).document()


class _Maker:
    def __init__(self, schema: GraphQLSchema, rng: random.Random) -> None:
        self.schema, self.rng = schema, rng
        self.variables: dict[str, Any] = {}
        """The type of each variable."""
        self.fragments: dict[str, str] = {}
        self.on: dict[str, str] = {}
        self.left = rng.choice((5, 12, 25, 50))

    def document(self) -> Document:
        rng = self.rng
        kind = rng.choices(("query", "mutation", "subscription"), (6, 2, 1))[0]
        root: Any = getattr(self.schema, f"{kind}_type")
        body = self.selection(root, depth=rng.randint(2, 6), only_one=kind == "subscription")
        defined = ", ".join(f"${name}: {type_}{self.default(type_)}" for name, type_ in self.variables.items())
        head = f"{kind} Random({defined})" if defined else f"{kind} Random"
        text = "\n".join((f"{head} {body}", *self.fragments.values()))
        return Document(text, self.given())

    # Selections

    def selection(self, type_: Any, depth: int, *, only_one: bool = False) -> str:
        rng = self.rng
        if not hasattr(type_, "fields"):
            return self.union(type_, depth)
        names = [name for name, one in type_.fields.items() if depth > 0 or is_leaf_type(_named(one.type))]
        if only_one:
            return "{ " + self.field(type_, rng.choice(names), depth, plain=True) + " }"
        parts = []
        for _ in range(rng.randint(1, 5)):
            draw = rng.random()
            if draw < 0.1 or not names:
                parts.append(("" if rng.random() < 0.8 else "typed: ") + "__typename" + self.condition())
            elif draw < 0.2 and depth > 0:
                parts.append(f"... {self.condition()} {self.selection(type_, depth - 1)}")
            elif draw < 0.35 and depth > 0:
                other = self.overlapping(type_)
                parts.append(f"... on {other} {self.condition()} {self.selection(other, depth - 1)}")
            elif draw < 0.5 and depth > 0:
                parts.append(self.spread(type_, depth - 1))
            elif draw < 0.53 and type_ is self.schema.query_type:
                parts.append("__schema { queryType { name fields { name } } }")
            else:
                parts.append(self.field(type_, rng.choice(names), depth))
        return "{ " + " ".join(parts) + " }"

    def union(self, type_: Any, depth: int) -> str:
        chosen = self.rng.sample(list(type_.types), min(2, len(type_.types)))
        parts = [f"... on {one} {self.selection(one, depth - 1)}" for one in chosen]
        return "{ " + " ".join(("__typename", *parts)) + " }"

    def overlapping(self, type_: Any) -> Any:
        """A type that an object here may have, or be seen as."""
        if isinstance(type_, GraphQLInterfaceType):
            return self.rng.choice([type_, *self.schema.get_possible_types(type_)])
        return self.rng.choice([type_, *type_.interfaces])

    def spread(self, type_: Any, depth: int) -> str:
        """A fragment of this type that is there already, or a new one."""
        known = [name for name, on in self.on.items() if on == str(type_) and name in self.fragments]
        if known and self.rng.random() < 0.6:
            return f"...{self.rng.choice(known)} {self.condition()}"
        name = f"F{len(self.on)}"
        self.on[name] = str(type_)
        body = self.selection(type_, depth)
        self.fragments[name] = f"fragment {name} on {type_} {body}"
        return f"...{name} {self.condition()}"

    def field(self, type_: Any, name: str, depth: int, *, plain: bool = False) -> str:
        self.left -= 1
        definition: GraphQLField = type_.fields[name]
        given = [
            f"{key}: {self.value(one.type)}"
            for key, one in definition.args.items()
            if is_required_argument(one) or self.rng.random() < 0.3
        ]
        arguments = f"({', '.join(given)})" if given else ""
        alias = f"a{self.rng.randint(0, 99)}: " if given or self.rng.random() < 0.15 else ""
        below = _named(definition.type)
        body = "" if is_leaf_type(below) else self.selection(below, depth - 1 if self.left > 0 else 0)
        return f"{alias}{name}{arguments} {'' if plain else self.condition()} {body}"

    def condition(self) -> str:
        if self.rng.random() > 0.12:
            return ""
        directive = self.rng.choice(("skip", "include"))
        value = self.rng.choice(("true", "false", None))
        return f"@{directive}(if: {value or self.variable('Boolean!')})"

    # Values

    def variable(self, type_: str) -> str:
        known = [name for name, one in self.variables.items() if one == type_]
        if known and self.rng.random() < 0.5:
            return f"${self.rng.choice(known)}"
        name = f"v{len(self.variables)}"
        self.variables[name] = type_
        return f"${name}"

    def value(self, type_: Any) -> str:
        """A literal that fits the type, or a variable of it."""
        if self.rng.random() < 0.4:
            return self.variable(str(type_))
        if isinstance(type_, GraphQLNonNull):
            return self.literal(type_.of_type)
        return "null" if self.rng.random() < 0.15 else self.literal(type_)

    def literal(self, type_: Any) -> str:
        if isinstance(type_, GraphQLList):
            return "[" + ", ".join(self.value(type_.of_type) for _ in range(self.rng.randint(0, 2))) + "]"
        if isinstance(type_, GraphQLInputObjectType):
            return "{" + ", ".join(f"{name}: {self.value(one.type)}" for name, one in self.chosen(type_, 0.2)) + "}"
        if isinstance(type_, GraphQLEnumType):
            return str(self.rng.choice(list(type_.values)))
        return _printed(self.rng.choice(SAMPLES[type_.name]))

    def chosen(self, type_: GraphQLInputObjectType, share: float) -> list[tuple[str, Any]]:
        """Fields of an input: one if there must be one, else what is required and some more."""
        fields = list(type_.fields.items())
        if type_.extensions["strawberry-definition"].is_one_of and self.rng.random() < 0.95:
            return [self.rng.choice(fields)]
        return [(name, one) for name, one in fields if is_required_input_field(one) or self.rng.random() < share]

    def default(self, type_: str) -> str:
        if self.rng.random() > 0.15:
            return ""
        bare = type_.rstrip("!")
        return f" = {_printed(self.rng.choice(SAMPLES[bare]))}" if bare in SAMPLES else ""

    def given(self) -> dict[str, Any]:
        """A value for most variables, which fits most times."""
        found = {}
        for name, type_ in self.variables.items():
            draw = self.rng.random()
            if draw < 0.015:
                continue
            if draw < 0.025:
                found[name] = self.rng.choice(WRONG)
            else:
                found[name] = self.json(_parsed(self.schema, type_))
        return found

    def json(self, type_: Any) -> Any:
        rng = self.rng
        if rng.random() < (0.005 if isinstance(type_, GraphQLNonNull) else 0.1):
            return None
        type_ = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
        if rng.random() < 0.005:
            return rng.choice(WRONG)
        if isinstance(type_, GraphQLList):
            return [self.json(type_.of_type) for _ in range(rng.randint(0, 2))]
        if isinstance(type_, GraphQLInputObjectType):
            return {name: self.json(one.type) for name, one in self.chosen(type_, 0.3)}
        return rng.choice(list(type_.values) if isinstance(type_, GraphQLEnumType) else SAMPLES[type_.name])


def _named(type_: Any) -> Any:
    while isinstance(type_, GraphQLNonNull | GraphQLList):
        type_ = type_.of_type
    return type_


def _parsed(schema: GraphQLSchema, text: str) -> Any:
    if text.endswith("!"):
        return GraphQLNonNull(_parsed(schema, text[:-1]))
    return GraphQLList(_parsed(schema, text[1:-1])) if text.startswith("[") else schema.type_map[text]


def _printed(value: Any) -> str:
    """A JSON value as a GraphQL literal."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_printed(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_printed, value)) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return '"' + value + '"' if isinstance(value, str) else str(value)
