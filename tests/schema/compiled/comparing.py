"""Runs an operation by graphql-core and compiled, and sees to it that both say the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from graphql import GraphQLSchema, OperationDefinitionNode, execute, parse, validate
from graphql.pyutils import is_awaitable

from schema.compiled.adapters.core import Adapter
from schema.compiled.compiler import Compiler, Counts, Operation


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer that both gave, and how it came about when it was compiled."""

    data: Any
    errors: list[dict[str, Any]]
    counts: Counts
    operation: Operation


async def both(
    schema: GraphQLSchema,
    text: str,
    variables: dict[str, Any] | None = None,
    *,
    root: Callable[[], Any] = lambda: None,
    adapter: Adapter | None = None,
    **bounds: Any,
) -> Outcome:
    """The answer, byte-equal with and without compilation; `root` makes the root value for each."""
    document = parse(text)
    assert validate(schema, document) == []
    adapter = adapter or Adapter()
    expected: Any = execute(
        schema, document, root(), variable_values=variables or {}, executor_class=adapter.executor_class
    )
    expected = await expected if is_awaitable(expected) else expected
    compiler = Compiler(schema, adapter, uses_before=0, **bounds)
    (node,) = (one for one in document.definitions if isinstance(one, OperationDefinitionNode))
    operation = compiler.operation(document, node)
    found = await operation.run(root(), None, variables or {})
    assert _bytes(found) == _bytes(expected)
    return Outcome(found.data, [dict(error.formatted) for error in found.errors or ()], compiler.counts, operation)


def _bytes(result: Any) -> bytes:
    errors = [{**error.formatted, "cause": repr(error.original_error)} for error in result.errors or ()]
    return orjson.dumps({"data": result.data, "errors": errors}, default=repr)
