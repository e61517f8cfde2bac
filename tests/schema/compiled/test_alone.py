"""A resolver is told whether others are resolved with it, and gets lists of its own that are written out in the document."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import pytest
import strawberry
from graphql import GraphQLSchema, OperationDefinitionNode, parse

from schema.compiled.adapters.of_strawberry import StrawberryAdapter
from schema.compiled.compiler import Compiler
from schema.compiled.declare import batched, is_alone


@strawberry.input
class Filter:
    words: list[str]


told: list[tuple[bool, int]] = []
"""Of each batch that was called: whether it was alone, and how many coroutines of the run wait for it."""


async def _parts(parents: Sequence[Any], _: Any, *, alone: bool) -> list[list[Part]]:
    told.append((alone, _waiting()))
    return [[Part()] for _ in parents]


def _waiting() -> int:
    """While something runs, whatever waits for it stands below it on the stack."""
    frame, found = sys._getframe(), 0
    while frame.f_back is not None:
        frame = frame.f_back
        found += frame.f_code.co_qualname.startswith("Run.")
    return found


@strawberry.type
class Part:
    @strawberry.field
    @batched(_parts, alone=True)
    async def parts(self) -> list[Part]:
        return [Part()]


@strawberry.type
class Query:
    @strawberry.field
    async def whole(self) -> Part:
        return Part()

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


@pytest.mark.parametrize(
    ("text", "are_they"),
    [
        ("{ whole { parts { __typename } } }", [True]),
        ("{ plain whole { parts { parts { __typename } } } }", [True, True]),
        ("{ whole { parts { __typename } again: parts { __typename } } }", [False, False]),
        ("{ whole { parts { parts { __typename } again: parts { __typename } } } }", [True, False, False]),
        ("{ whole { parts { __typename } } other }", [False]),
        ("{ whole { parts { __typename } } again: whole { parts { __typename } } }", [False, False]),
    ],
)
async def test_a_batch_is_told_whether_it_is_alone(text: str, are_they: list[bool]) -> None:
    told.clear()
    await answered(text)
    assert [alone for alone, _ in told] == are_they


async def test_levels_that_follow_each_other_wait_in_one_coroutine() -> None:
    told.clear()
    await answered("{ whole { parts { parts { parts { __typename } } } } }")
    assert [waiting for _, waiting in told] == 3 * [2]
