"""Large answers are completed where they hold nobody up, small ones at once; both are the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from graphql import build_schema, parse

from schema.compiled import compiler as compiling
from schema.compiled.compiler import Compiler

SCHEMA = build_schema("type Query { items: [Item!]! } type Item { name: String! size: Int }")


class _Item:
    def __init__(self, number: int) -> None:
        self.name, self.size = f"item {number}", number


def _items(count: int) -> Callable[..., list[_Item]]:
    return lambda *_: [_Item(number) for number in range(count)]


@pytest.mark.parametrize(("count", "is_elsewhere"), [(10, False), (compiling.OBJECTS_AT_ONCE + 1, True)])
async def test_the_number_of_objects_decides(count: int, is_elsewhere: bool) -> None:
    schema: Any = SCHEMA
    schema.type_map["Query"].fields["items"].resolve = _items(count)
    contexts = []

    async def elsewhere(work: Callable[[], Any], context: Any) -> Any:
        contexts.append(context)
        return work()

    document: Any = parse("{ items { name size } }")
    compiler = Compiler(schema, uses_before=0, elsewhere=elsewhere)
    found = await compiler.operation(document, document.definitions[0]).run(None, "mine", {})
    assert found.data == {"items": [{"name": f"item {number}", "size": number} for number in range(count)]}
    assert found.errors is None
    assert contexts == ["mine"] * is_elsewhere
    assert compiler.counts.compiled == 1


async def test_few_characters_that_select_many_fields_are_compiled_elsewhere_too() -> None:
    schema: Any = SCHEMA
    schema.type_map["Query"].fields["items"].resolve = _items(1)
    begun, done = asyncio.Event(), asyncio.Event()

    async def elsewhere(work: Callable[[], Any], _: Any) -> Any:
        if not begun.is_set():
            begun.set()
            await done.wait()
        return work()

    keys = " ".join(f"i{n}: items {{ ...F }}" for n in range(compiling.FIELDS_AT_ONCE // 3 + 1))
    document: Any = parse(f"{{ {keys} }} fragment F on Item {{ name size }}")
    assert len(keys) < compiling.CHARACTERS_AT_ONCE
    compiler = Compiler(schema, uses_before=0, elsewhere=elsewhere)
    operation = compiler.operation(document, document.definitions[0])
    first = asyncio.ensure_future(operation.run(None, None, {}))
    await asyncio.wait((first, asyncio.ensure_future(begun.wait())), return_when=asyncio.FIRST_COMPLETED)
    assert not first.done()
    meanwhile = await operation.run(None, None, {})
    assert compiler.counts.uncompiled == 1, "nobody waits for what somebody else has compiled"
    done.set()
    assert (await first).data == meanwhile.data
    assert (compiler.counts.compiled, len(operation.plans)) == (1, 1)


async def test_what_does_much_need_not_be_used_twice_to_be_compiled() -> None:
    schema: Any = SCHEMA
    schema.type_map["Query"].fields["items"].resolve = _items(1)
    document: Any = parse("{ items { name } }")
    compiler = Compiler(schema, uses_before=5)
    operation = compiler.operation(document, document.definitions[0])
    await operation.run(None, None, {})
    assert (compiler.counts.uncompiled, compiler.counts.compiled) == (1, 0)
    operation.compile_at_once()
    await operation.run(None, None, {})
    assert (compiler.counts.uncompiled, compiler.counts.compiled) == (1, 1)
