"""What compiling may cost: nothing for a document that comes once, a bounded plan for others, and bounded plans together."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from graphql import OperationDefinitionNode, build_schema, parse
from graphql.execution.values import VariableValues

from schema.compiled import compiler as compiling
from schema.compiled.compiler import Compiler, Operation

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
    assert await one._plan(VariableValues({}, {}), None) == "more than 2000 fields"
