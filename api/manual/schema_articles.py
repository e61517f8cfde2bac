"""Writes the schema as articles: one that lists everything, one for each type, with every field, argument and description."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from graphql import (
    GraphQLArgument,
    GraphQLDirective,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_introspection_type,
    is_specified_directive,
    is_specified_scalar_type,
    print_ast,
)
from graphql.utilities.get_default_value_ast import get_default_value_ast

from api.manual.articles import HOME, Article

INDEX: Final = f"{HOME}/schema"

_ABOUT: Final = (
    "Every type, field and argument. The same in GraphQL's own language is at [/schema.graphql](/schema.graphql); "
    f"conventions that hold everywhere are on [the page about the API]({HOME}/graphql)."
)

KINDS: Final[Mapping[type[GraphQLNamedType], str]] = {
    GraphQLObjectType: "Objects",
    GraphQLInterfaceType: "Interfaces",
    GraphQLUnionType: "Unions",
    GraphQLInputObjectType: "Inputs",
    GraphQLEnumType: "Enums",
    GraphQLScalarType: "Scalars",
}


Uses: TypeAlias = Mapping[str, set[tuple[str, str]]]
"""By the name of a type, the fields that name it: each as its type and its own name."""


def articles(schema: GraphQLSchema) -> Iterator[Article]:
    """All of them, the list first."""
    types = [one for name, one in sorted(schema.type_map.items()) if not is_introspection_type(one)]
    yield Article.of(_index(schema, types), INDEX)
    uses = _uses(types)
    for one in types:
        parts = [*_type(schema, one), *_used(one.name, uses)]
        yield Article.of("\n\n".join(parts), f"{INDEX}/{one.name}")


def _index(schema: GraphQLSchema, types: list[GraphQLNamedType]) -> str:
    roots = [root for root in (schema.query_type, schema.mutation_type, schema.subscription_type) if root is not None]
    parts = ["# The schema", _ABOUT]
    for root in roots:
        links = (
            f"- [`{name}`]({INDEX}/{root.name}#{name.lower()}): {_first(one.description)}"
            for name, one in root.fields.items()
        )
        parts += [f"## {root.name}", "\n".join(links)]
    for kind, heading in KINDS.items():
        found = [one for one in types if isinstance(one, kind) and one not in roots]
        parts += [f"## {heading}", "\n".join(f"- {_link(one.name)}: {_first(one.description)}" for one in found)]
    own = [one for one in schema.directives if not is_specified_directive(one)]
    return "\n\n".join([*parts, "## Directives", *(part for one in own for part in _directive(one))])


def _type(schema: GraphQLSchema, one: GraphQLNamedType) -> Iterator[str]:
    yield f"# {one.name}"
    yield f"*{_kind(one)}*"
    yield _text(one.description) or _of_the_language(one)
    if isinstance(one, GraphQLObjectType | GraphQLInterfaceType):
        if one.interfaces:
            yield "Implements " + ", ".join(_link(each.name) for each in one.interfaces) + "."
        for name, field in one.fields.items():
            yield from _field(name, field)
    elif isinstance(one, GraphQLInputObjectType):
        for name, member in one.fields.items():
            yield from _member(name, member)
    elif isinstance(one, GraphQLEnumType):
        for name, value in one.values.items():
            yield from (f"## `{name}`", _text(value.description), *_deprecated(value.deprecation_reason))
    if isinstance(one, GraphQLUnionType | GraphQLInterfaceType):
        yield "## Possible types"
        yield "\n".join(f"- {_link(each.name)}" for each in schema.get_possible_types(one))


def _kind(one: GraphQLNamedType) -> str:
    words = {
        GraphQLObjectType: "object",
        GraphQLInputObjectType: "input",
        GraphQLEnumType: "enum",
        GraphQLScalarType: "scalar",
    }
    return words.get(type(one), "union" if isinstance(one, GraphQLUnionType) else "interface")


def _of_the_language(one: GraphQLNamedType) -> str:
    return "One of GraphQL's own." if is_specified_scalar_type(one) else ""


def _field(name: str, field: GraphQLField) -> Iterator[str]:
    yield f"## `{name}`"
    yield f"{_spelled(field.type)}"
    yield _text(field.description)
    yield from _deprecated(field.deprecation_reason)
    if field.args:
        yield "\n".join(_argument(each, argument) for each, argument in field.args.items())


def _member(name: str, member: GraphQLInputField) -> Iterator[str]:
    yield f"## `{name}`"
    yield f"{_spelled(member.type)}{_default(member)}"
    yield _text(member.description)
    yield from _deprecated(member.deprecation_reason)


def _argument(name: str, argument: GraphQLArgument) -> str:
    said = [f"- `{name}`: {_spelled(argument.type)}{_default(argument)}", _text(argument.description)]
    return " – ".join(one for one in [*said, *_deprecated(argument.deprecation_reason)] if one)


def _directive(directive: GraphQLDirective) -> Iterator[str]:
    yield f"### `@{directive.name}`"
    yield _text(directive.description)
    if directive.args:
        yield "\n".join(_argument(name, one) for name, one in directive.args.items())


def _used(name: str, uses: Uses) -> Iterator[str]:
    """The fields whose values are of this type, or that take one: where a reader comes from."""
    if uses.get(name):
        yield "## Where it is used"
        yield ", ".join(f"[`{owner}.{field}`]({INDEX}/{owner}#{field.lower()})" for owner, field in sorted(uses[name]))


def _uses(types: Iterable[GraphQLNamedType]) -> Uses:
    found: dict[str, set[tuple[str, str]]] = {}
    for one in types:
        if isinstance(one, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            for name, field in one.fields.items():
                arguments = field.args.values() if isinstance(field, GraphQLField) else ()
                for used in (field, *arguments):
                    found.setdefault(get_named_type(used.type).name, set()).add((one.name, name))
    return found


def _deprecated(reason: str | None) -> list[str]:
    return [f"**Deprecated**: {_text(reason)}"] if reason is not None else []


def _spelled(type_: Any) -> str:
    """A type as GraphQL writes it, linked: `[Milestone!]!`."""
    before, _, after = str(type_).partition(get_named_type(type_).name)
    around = [f"`{one}`" if one else "" for one in (before, after)]
    return f"{around[0]}{_link(get_named_type(type_).name)}{around[1]}"


def _link(name: str) -> str:
    return f"[`{name}`]({INDEX}/{name})"


def _default(of: GraphQLArgument | GraphQLInputField) -> str:
    literal = get_default_value_ast(of)
    return f" = `{print_ast(literal)}`" if literal is not None else ""


def _text(description: str | None) -> str:
    return " ".join((description or "").split())


def _first(description: str | None) -> str:
    """The first sentence."""
    return _text(description).partition(". ")[0].removesuffix(".")
