"""Arguments are coerced as graphql-core coerces them, and converted as Strawberry converts them."""

from __future__ import annotations

from enum import Enum
from typing import Any

import pytest
import strawberry
from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInt,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    value_from_ast_untyped,
)
from strawberry.types.arguments import convert_arguments

from schema.compiled.adapters.inputs import Inputs
from tests.schema.compiled.comparing import both


@strawberry.enum
class Colour(Enum):
    RED = "red"


@strawberry.input
class Leaf:
    long_name: str
    colour: Colour | None = None
    tags: list[str] | None = strawberry.UNSET


@strawberry.input
class Tree:
    leaves: list[Leaf] | None = None
    inner: Tree | None = None
    top: Leaf | None


@strawberry.type
class Query:
    @strawberry.field
    def ask(self, tree: Tree | None, first: int = 3, colours: list[Colour] | None = None) -> int:
        return first

    @strawberry.field
    def maybe(self, one: strawberry.Maybe[int]) -> int:
        return 1


SCHEMA = strawberry.Schema(Query)
CONVERTER = SCHEMA.schema_converter
ASK, MAYBE = (field.arguments for field in Query.__strawberry_definition__.fields)  # type: ignore[attr-defined]
LEAF = {"longName": "x", "colour": Colour.RED, "tags": ["a"]}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"tree": None, "first": 7},
        {"tree": {}, "colours": [Colour.RED]},
        {"tree": {"top": LEAF, "leaves": []}},
        {"tree": {"leaves": [LEAF, {"longName": "y"}], "inner": {"inner": {"top": {"longName": "z", "colour": None}}}}},
    ],
)
def test_arguments_become_what_strawberry_makes_of_them(given: dict[str, Any]) -> None:
    quickly = Inputs(CONVERTER).of(ASK)
    assert quickly is not None
    assert quickly(given) == convert_arguments(given, ASK, CONVERTER.scalar_registry, CONVERTER.config)


def test_a_list_is_a_copy_so_that_a_default_stays_as_it_is() -> None:
    colours = [Colour.RED]
    quickly = Inputs(CONVERTER).of(ASK)
    assert quickly is not None
    assert quickly({"colours": colours})["colours"] is not colours


ANYTHING = GraphQLScalarType(
    "Anything", coerce_input_value=lambda value: value, coerce_input_literal=value_from_ast_untyped
)
"""What a scalar gets of a literal holds no variables: graphql-core puts their values into it before."""


def _sources(_: Any, info: GraphQLResolveInfo[None], first: int | None = None) -> str:
    sources = info.variable_values.sources.items()
    return ", ".join(f"${name}: {source.signature.type} = {source.value!r}" for name, source in sources)


ECHOING = GraphQLSchema(
    GraphQLObjectType(
        "Query",
        {
            "echo": GraphQLField(ANYTHING, {"v": GraphQLArgument(ANYTHING)}, lambda _, info, v: v),
            "sources": GraphQLField(GraphQLString, {"first": GraphQLArgument(GraphQLInt)}, _sources),
        },
    )
)


@pytest.mark.parametrize(
    ("declared", "literal", "given", "echoed"),
    [
        ("$x: Int", "{ a: $x, b: 2 }", {"x": 1}, {"a": 1, "b": 2}),
        ("$x: Int", "{ a: $x, b: 2 }", {"x": None}, {"a": None, "b": 2}),
        ("$x: Int", "{ a: $x, b: 2 }", {}, {"b": 2}),
        ("$x: Int = 3", "{ a: $x, b: 2 }", {}, {"a": 3, "b": 2}),
        ("$x: [String!]!", "[{ a: $x }, $x]", {"x": ["p", "q"]}, [{"a": ["p", "q"]}, ["p", "q"]]),
        ("$x: Anything", "{ a: { b: [$x] } }", {"x": {"c": 1}}, {"a": {"b": [{"c": 1}]}}),
    ],
)
async def test_variables_within_the_literal_of_a_scalar_are_there(
    declared: str, literal: str, given: dict[str, Any], echoed: Any
) -> None:
    outcome = await both(ECHOING, f"query ({declared}) {{ echo(v: {literal}) }}", given)
    assert outcome.data == {"echo": echoed}
    assert outcome.counts.fallbacks == {}


async def test_resolvers_are_told_where_the_values_of_variables_came_from() -> None:
    outcome = await both(ECHOING, "query ($x: Int, $y: String) { echo(v: [$y]) sources(first: $x) }", {"x": 1})
    assert outcome.data["sources"] == "$x: Int = 1, $y: String = Undefined"


def test_what_is_out_of_the_ordinary_is_left_to_strawberry() -> None:
    assert Inputs(CONVERTER).of(MAYBE) is None
