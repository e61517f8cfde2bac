"""What asks about the schema alone is answered once for everybody, byte for byte."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from graphql import get_introspection_query, parse

from schema.build import executable
from schema.engine import introspection
from schema.engine.context import Context
from schema.engine.execution import Operation, Runner
from schema.engine.told import Answer
from tests.factories import party

STANDARD = get_introspection_query()


class Counted(Runner):
    """A runner that counts what is executed."""

    executed = 0

    def _begin(self, *given: Any) -> Any:
        self.executed += 1
        return super()._begin(*given)


async def test_the_standard_query_is_executed_once_whoever_asks() -> None:
    runner = Counted(executable())
    answers = [
        (await runner.run(Operation(query=STANDARD), Context(who))).json() for who in (None, party("acc_1"), None)
    ]
    assert runner.executed == 1
    assert len(set(answers)) == 1
    assert orjson.loads(answers[0]).keys() == {"data"}


async def test_other_variables_are_another_question() -> None:
    runner = Counted(executable())
    query = "query ($name: String!) { __type(name: $name) { name } }"
    for name in ("Query", "Milestone", "Query"):
        answer = await runner.run(Operation(query=query, variables={"name": name}), Context(None))
        assert orjson.loads(answer.json()) == {"data": {"__type": {"name": name}}}
    assert runner.executed == 2


async def test_variables_that_are_not_declared_are_no_part_of_the_question() -> None:
    runner = Counted(executable())
    deep: list[Any] = []
    for _ in range(300):
        deep = [deep]
    for undeclared in (deep, 1, "one"):
        answer = await runner.run(Operation(query="{ __typename }", variables={"x": undeclared}), Context(None))
        assert orjson.loads(answer.json()) == {"data": {"__typename": "Query"}}
    assert runner.executed == 1


async def test_a_variable_that_is_nested_too_deeply_to_be_printed_is_refused_like_any_other() -> None:
    runner = Runner(executable())
    deep: list[Any] = []
    for _ in range(300):
        deep = [deep]
    query = "query ($name: String!) { __type(name: $name) { name } }"
    answer = await runner.run(Operation(query=query, variables={"name": deep}), Context(None))
    assert [error["extensions"]["code"] for error in answer.body["errors"]] == ["BAD_REQUEST"]


async def test_what_went_wrong_is_not_kept() -> None:
    runner = Counted(executable())
    for _ in range(2):
        answer = await runner.run(Operation(query="query ($n: String!) { __type(name: $n) { name } }"), Context(None))
        assert not answer.ran
    assert runner.executed == 2


async def test_few_answers_are_kept() -> None:
    runner = Runner(executable())
    for number in range(introspection.KEPT_MAX + 5):
        await runner.run(Operation(query=f"{{ a{number}: __typename }}"), Context(None))
    assert len(runner._schema_answers._kept) == introspection.KEPT_MAX


@pytest.mark.parametrize(
    ("query", "is_one"),
    [
        ("{ __schema { types { name } } }", True),
        ("{ __typename a: __typename }", True),
        ("{ __schema { types { name } } viewer { role } }", False),
        ("{ ...F } fragment F on Query { __typename }", False),
        ("mutation { __typename }", False),
        ("subscription { __typename }", False),
    ],
)
def test_only_what_asks_for_nothing_else_is_about_the_schema(query: str, is_one: bool) -> None:
    operation: Any = parse(query).definitions[0]
    assert introspection.is_about_the_schema(operation) is is_one


def test_the_answer_is_printed_with_the_others_of_its_kind() -> None:
    assert Answer({"data": orjson.Fragment(b'{"a":1}')}, ran=True).json() == b'{"data":{"a":1}}'
