"""Operations that ask for too much are refused before anything runs, and quickly."""

from __future__ import annotations

import time
from typing import Any

import pytest
from graphql import get_introspection_query

from schema.build import executable
from schema.engine import limits, parsing
from schema.engine.context import Context
from schema.engine.execution import Operation, Runner
from tests.factories import party

ASKING = party("acc_1")

SECONDS_MAX = 1.0
"""Generous: each takes milliseconds; what these limits are against takes hours."""


async def _errors(query: str, variables: dict[str, Any] | None = None) -> list[tuple[str, str]]:
    """Code and message of each error; nothing may have run."""
    runner = Runner(executable())  # whose schema is made once, by whichever test comes first
    started = time.process_time()
    answer = await runner.run(Operation(query=query, variables=variables or {}), Context(ASKING))
    assert time.process_time() - started < SECONDS_MAX
    assert not answer.ran
    return [(error["extensions"]["code"], error["message"]) for error in answer.body["errors"]]


def _nested(levels: int) -> str:
    return (
        "{ node(id: 1) { ... on Milestone { " + "contract { milestones { " * levels + "id" + " } }" * levels + " } } }"
    )


async def _runs(query: str, variables: dict[str, Any] | None = None) -> bool:
    answer = await Runner(executable()).run(Operation(query=query, variables=variables or {}), Context(ASKING))
    return answer.ran


@pytest.mark.parametrize(
    ("query", "says"),
    [
        (_nested(6), "levels deep"),
        ("{" + " ".join(f"a{n}: __typename" for n in range(51)) + "}", "51 aliases"),
        ("{" + " ".join("viewer { role @include(if: true) }" for _ in range(51)) + "}", "51 directives"),
        ("{ " + "__typename " * 4_000 + "}", "3000 tokens"),
        ("# " + "x" * 100_000 + "\n{ __typename }", "characters"),
        ("{ contracts(first: 100) { nodes { timeline(first: 100) { nodes { texts { value } } } } } }", "objects"),
        ("{ " + "viewer { account { members { id } } } " * 290 + "}", "repeats the same fields"),
        ("{ " + "__typename " * 2_900 + "}", "repeats the same fields"),
        ("{ a " * 500 + "}" * 500, "nested too deeply"),
        ("{ nodes(ids: " + "[" * 1000 + "]" * 1000 + ") { id } }", "nested too deeply"),
    ],
)  # fmt: skip
async def test_each_limit_says_what_and_how_much(query: str, says: str) -> None:
    (error,) = await _errors(query)
    assert error[0] == "QUERY_TOO_COMPLEX"
    assert says in error[1]


def _copies(field: str) -> str:
    return "{" + " ".join(f"a{n}: {field}" for n in range(8)) + "}"


@pytest.mark.parametrize(
    ("query", "says"),
    [
        (
            "{ __schema " + _copies("types { ...F }") + " } fragment F on __Type " + _copies("fields { name }"),
            "aliases",
        ),
        ("{ " + "".join(f"a{n}: __schema {{ types {{ name }} }} " for n in range(51)) + "}", "51 aliases"),
        ("{ a: __schema { types { name } } b: __schema { directives { name } } }", "2 times; once is enough"),
        ("{ __schema " + _copies("types { fields { args { type { fields { args { name } } } } } }") + " }", "objects"),
        ('{ __type(name: "Query") { ' + "fields { name @include(if: true) } " * 51 + "} }", "51 directives"),
    ],
)
async def test_introspection_needs_no_credentials_but_counts_like_anything_else(query: str, says: str) -> None:
    (error,) = await _errors(query)
    assert error[0] == "QUERY_TOO_COMPLEX"
    assert says in error[1]


async def test_the_queries_that_tools_introspect_with_are_within_the_limits() -> None:
    every_option = get_introspection_query(
        specified_by_url=True, directive_is_repeatable=True, schema_description=True, input_value_deprecation=True
    )
    assert await _runs(every_option)


async def test_a_chain_of_fragments_that_doubles_is_measured_at_once() -> None:
    chain = " ".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(100))
    query = f"{{ ...F0 }} {chain} fragment F100 on Query {{ viewer {{ a: role }} }}"
    (error,) = await _errors(query)
    assert error[0] == "QUERY_TOO_COMPLEX"


async def test_a_cycle_of_fragments_is_invalid_and_no_endless_loop() -> None:
    errors = await _errors("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }")
    assert {code for code, _ in errors} == {"BAD_REQUEST"}


async def test_page_sizes_in_variables_count_as_what_they_are() -> None:
    query = """query ($contracts: Int = 100, $events: Int!) {
        contracts(first: $contracts) { nodes { timeline(first: $events) { nodes { texts { value } } } } } }"""
    assert await _runs(query, {"contracts": 10, "events": 100})
    assert not await _runs(query, {"events": 100})  # the default of the other counts
    runner = Runner(executable())
    for events, ran in ((100, False), (1, True), (100, False)):
        operation = Operation(query=query, variables={"contracts": 100, "events": events})
        assert (await runner.run(operation, Context(ASKING))).ran is ran


async def test_the_usual_queries_are_far_from_the_limits() -> None:
    assert await _runs("{ contracts(first: 100) { nodes { id timeline(first: 100) { nodes { id } } } } }")
    assert await _runs("{ contracts(first: 50) { nodes { id milestones { id allowedActions { reason { code } } } } } }")
    assert await _runs(_nested(4))


async def test_documents_are_remembered_up_to_a_bound() -> None:
    runner = Runner(executable())
    for number in range(parsing.KEPT_MAX + 20):
        await runner.run(Operation(query=f"{{ a{number}: __typename }}"), Context(ASKING))
    assert len(runner._documents._kept) == parsing.KEPT_MAX


def test_an_unknown_page_size_counts_as_the_largest() -> None:
    assert [limits._given(first) for first in (None, 1, 100, 101, -1, "x")] == [50, 1, 100, 100, 100, 100]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("{ " + "__typename " * 1_100 + "}", "more than 1000 tokens without a key"),
        ("# " + "x" * 16_000 + "\n{ __typename }", "at most 16000 are allowed without a key"),
    ],
)
async def test_whoever_shows_no_key_may_send_less(query: str, says: str) -> None:
    runner = Runner(executable())
    answer = await runner.run(Operation(query=query), Context(None))
    assert says in answer.body["errors"][0]["message"]
    assert says not in str((await runner.run(Operation(query=query), Context(ASKING))).body)


async def test_every_tools_introspection_is_answered_without_a_key() -> None:
    options = {
        "specified_by_url": True,
        "directive_is_repeatable": True,
        "schema_description": True,
        "input_value_deprecation": True,
    }
    for query in (get_introspection_query(), get_introspection_query(**options)):
        answer = await Runner(executable()).run(Operation(query=query), Context(None))
        assert answer.ran
        assert "errors" not in answer.body
