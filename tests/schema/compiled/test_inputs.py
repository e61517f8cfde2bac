"""Arguments are converted as Strawberry converts them."""

from __future__ import annotations

from enum import Enum
from typing import Any

import pytest
import strawberry
from strawberry.types.arguments import convert_arguments

from schema.compiled.adapters.inputs import Inputs


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


def test_what_is_out_of_the_ordinary_is_left_to_strawberry() -> None:
    assert Inputs(CONVERTER).of(MAYBE) is None
