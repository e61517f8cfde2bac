"""A resolver is told whether others are resolved with it, and gets lists of its own that are written out in the document."""

from __future__ import annotations

from typing import Any

import pytest
import strawberry
from graphql import GraphQLSchema, OperationDefinitionNode, parse

from schema.compiled.adapters.of_strawberry import StrawberryAdapter
from schema.compiled.compiler import Compiler
from schema.compiled.declare import is_alone


@strawberry.input
class Filter:
    words: list[str]


@strawberry.type
class Query:
    plain: str = "read"

    @strawberry.field
    async def alone(self, info: strawberry.Info) -> bool:
        return is_alone(info)

    @strawberry.field
    async def other(self) -> bool:
        return True

    @strawberry.field
    async def changed(self, filter: Filter, numbers: list[int]) -> list[str]:  # noqa: A002
        filter.words.append("last")
        numbers.append(0)
        return [*filter.words, *map(str, numbers)]


async def answered(text: str, times: int = 1) -> list[Any]:
    schema: GraphQLSchema = strawberry.Schema(Query)._schema
    document = parse(text)
    (node,) = (one for one in document.definitions if isinstance(one, OperationDefinitionNode))
    compiler = Compiler(schema, StrawberryAdapter(schema), uses_before=0)
    operation = compiler.operation(document, node)
    found = [(await operation.run(Query(), None, {})).data for _ in range(times)]
    assert compiler.counts.compiled == times
    return found


@pytest.mark.parametrize(
    ("text", "is_it"),
    [
        ("{ alone }", True),
        ("{ plain alone __typename }", True),
        ("{ alone other }", False),
        ("{ a: alone alone }", False),
    ],
)
async def test_a_field_is_alone_where_no_other_is_called(text: str, is_it: bool) -> None:
    (found,) = await answered(text)
    assert found["alone"] is is_it


async def test_what_a_resolver_does_to_its_lists_is_not_seen_by_the_next() -> None:
    found = await answered('{ changed(filter: {words: ["a"]}, numbers: [1, 2]) }', times=3)
    assert found == [{"changed": ["a", "last", "1", "2", "0"]}] * 3
