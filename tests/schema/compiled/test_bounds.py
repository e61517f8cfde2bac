"""What compiling may cost: nothing for a document that comes once, a bounded plan for others, and bounded plans together."""

from __future__ import annotations

import contextlib
import gc
from typing import Any

import pytest
from graphql import OperationDefinitionNode, build_schema, parse

from schema.compiled import compiler as compiling
from schema.compiled.compiler import Compiler, Operation
from schema.compiled.earned import Earned, NotEarned
from schema.compiled.plan import Plan

SCHEMA = build_schema("type Query { a: Int b: Int query: Query }")
ROOT: dict[str, Any] = {"a": 1, "b": 2}
ROOT["query"] = ROOT


def operation(compiler: Compiler, text: str) -> Operation:
    document = parse(text)
    (node,) = (one for one in document.definitions if isinstance(one, OperationDefinitionNode))
    return compiler.operation(document, node)


async def uses(one: Operation, times: int, **variables: Any) -> None:
    for _ in range(times):
        assert (await one.run(ROOT, None, variables)).errors is None


async def test_an_operation_is_compiled_when_it_is_used_a_second_time() -> None:
    compiler = Compiler(SCHEMA)
    one = operation(compiler, "{ a }")
    await uses(one, 1)
    assert (one.plans, compiler.counts.uncompiled) == ([], 1)
    await uses(one, 2)
    assert (len(one.plans), compiler.counts.uncompiled, compiler.counts.compiled) == (1, 1, 2)


async def test_a_long_document_has_to_come_more_often() -> None:
    compiler = Compiler(SCHEMA)
    one = operation(compiler, "{ a }" + " " * 5_000)
    await uses(one, 6)
    assert (one.plans, compiler.counts.uncompiled) == ([], 6)
    await uses(one, 1)
    assert len(one.plans) == 1


def repeating(name: str, levels: int = 5) -> str:
    """A short document that selects many fields: each of its fragments is there twice as often as the one before."""
    below = " ".join(
        f"fragment F{n} on Query {{ x: query {{ ...F{n + 1} }} y: query {{ ...F{n + 1} }} }}" for n in range(levels)
    )
    return f"{{ {name}: query {{ ...F0 }} }} {below} fragment F{levels} on Query {{ a b }}"


async def test_no_more_is_compiled_than_uses_earned_however_often_plans_are_let_go_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compiling, "FIELDS_KEPT_MAX", 150)  # room for one of the two
    compiler, keep = Compiler(SCHEMA), Compiler.keep
    made: list[int] = []

    def noted(plan: Plan, operation: Operation) -> None:
        made.append(plan.fields)
        keep(compiler, plan, operation)

    monkeypatch.setattr(compiler, "keep", noted)
    texts = [repeating(name) for name in "pq"]
    both = [operation(compiler, text) for text in texts]
    for _ in range(50):
        for one in both:
            await uses(one, 1)
    earned = sum(map(len, texts)) / compiling.CHARACTERS_A_FIELD + 100 * compiling.FIELDS_A_USE
    assert len(made) > 2
    assert sum(made) <= earned
    assert compiler.counts.compiled + compiler.counts.uncompiled == 100


async def test_what_uses_are_worth_is_compiled_the_sooner() -> None:
    compiler = Compiler(SCHEMA)
    dear, cheap = (operation(compiler, repeating(name)) for name in "pq")
    dear.earn(100)
    for one in (dear, cheap):
        await uses(one, 2)
    assert (len(dear.plans), len(cheap.plans)) == (1, 0)


async def test_a_type_of_an_interface_is_planned_once_its_fields_are_earned() -> None:
    schema: Any = build_schema(
        "interface It { a: Int } type Thing implements It { a: Int b: Int } type Query { it: It }"
    )
    schema.type_map["It"].resolve_type = lambda *_: "Thing"
    compiler = Compiler(schema)
    keys = [f"k{n}" for n in range(45)]
    one = operation(compiler, f"{{ it {{ ... on Thing {{ {' '.join(f'{key}: b' for key in keys)} }} }} }}")
    for _ in range(12):
        result = await one.run({"it": {"a": 1, "b": 2}}, None, {})
        assert result.data == {"it": dict.fromkeys(keys, 2)}
    assert compiler.counts.uncompiled == 1
    assert compiler.counts.replayed > 0, "graphql-core completes what isn't planned yet"
    assert compiler.counts.compiled == 11 - compiler.counts.replayed > 0
    assert [plan.fields for plan in one.plans] == [46]


def test_an_attempt_that_fails_is_not_made_again_before_twice_as_much_is_there() -> None:
    earned = Earned(10, most=1_000)
    attempts = 0
    for _ in range(64):
        with contextlib.suppress(NotEarned), earned.attempt():
            attempts += 1
            raise NotEarned
        earned.earn(10)
    assert attempts == 7  # with 10, 20, 40, … 640


async def test_conditions_make_a_bounded_number_of_plans() -> None:
    compiler = Compiler(SCHEMA, uses_before=0)
    names = "pqrs"
    fields = " ".join(f"{name}: a @include(if: ${name})" for name in names)
    one = operation(compiler, f"query ({' '.join(f'${name}: Boolean!' for name in names)}) {{ {fields} }}")
    for number in range(16):
        variables = {name: bool(number >> bit & 1) for bit, name in enumerate(names)}
        result = await one.run(ROOT, None, variables)
        assert result.data == {name: 1 for name, is_included in variables.items() if is_included}
        assert one.falls_back == (number >= 7)
    assert len(one.plans) == compiling.VARIANTS_MAX == 8
    assert compiler.counts.fallbacks == {"too many variants": 8}


async def test_it_is_known_that_an_operation_falls_back() -> None:
    compiler = Compiler(SCHEMA, uses_before=0)
    assert not operation(compiler, "{ a }").falls_back
    assert operation(compiler, "query @experimental_disableErrorPropagation { a }").falls_back
    too_large = operation(Compiler(SCHEMA, uses_before=0, fields_max=1), "{ a b }")
    assert not too_large.falls_back
    await uses(too_large, 1)
    assert too_large.falls_back


async def test_plans_are_bounded_together_and_the_one_that_rested_longest_goes_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compiling, "FIELDS_KEPT_MAX", 5)
    compiler = Compiler(SCHEMA, uses_before=0)
    first, second, third = (operation(compiler, f"{{ {name}: a b }}") for name in ("x", "y", "z"))
    await uses(first, 1)
    await uses(second, 1)
    await uses(first, 1)
    await uses(third, 1)
    assert [len(one.plans) for one in (first, second, third)] == [1, 0, 1]
    assert compiler.fields_kept == 4
    await uses(second, 1)
    assert [len(one.plans) for one in (first, second, third)] == [0, 1, 1], "it is made again"


async def test_a_plan_goes_with_its_document() -> None:
    compiler = Compiler(SCHEMA, uses_before=0)
    kept = operation(compiler, "{ a }")
    await uses(kept, 1)
    await uses(operation(compiler, "{ a b }"), 1)
    gc.collect()
    assert compiler.fields_kept == 1


async def test_a_document_may_go_while_plans_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = Compiler(SCHEMA, uses_before=0)
    kept = [operation(compiler, f"{{ {name}: a }}") for name in "pqr"]
    for one in kept:
        await uses(one, 1)
    whole = vars(Plan)["fields"]

    def fields(plan: Plan) -> int:
        del kept[:2]  # as if this were the moment in which they are found to be garbage
        found: int = whole.fget(plan)
        return found

    one = kept[2]
    monkeypatch.setattr(Plan, "fields", property(fields))
    assert compiler.fields_kept == 3
    assert compiler.fields_kept == 1
    assert len(one.plans) == 1


async def test_the_number_of_plans_is_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "PLANS_KEPT_MAX", 2)
    compiler = Compiler(SCHEMA, uses_before=0)
    kept = [operation(compiler, f"{{ {name}: a }}") for name in ("x", "y", "z")]
    for one in kept:
        await uses(one, 1)
    assert [len(one.plans) for one in kept] == [0, 1, 1]


async def test_the_code_of_a_plan_grows_with_its_fields_alone() -> None:
    compiler = Compiler(SCHEMA, uses_before=0)
    text = "{ a b }"
    for _ in range(60):
        text = f"{{ a query {text} }}"
    one = operation(compiler, text)
    await uses(one, 1)
    (plan,) = one.plans
    assert plan.fields == 122
    assert len(plan.source) < 200 * plan.fields


async def test_a_document_that_repeats_its_fragments_is_not_planned_without_end() -> None:
    compiler = Compiler(SCHEMA, uses_before=0)
    fragments = " ".join(
        f"fragment F{n} on Query {{ x: query {{ ...F{n + 1} }} y: query {{ ...F{n + 1} }} }}" for n in range(30)
    )
    one = operation(compiler, f"{{ ...F0 }} {fragments} fragment F30 on Query {{ a }}")
    one._prepare()
    assert await one._plan((), None) == "more than 2000 fields"
