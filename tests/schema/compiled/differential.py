"""Random documents over the real schema, with compiled execution and without: the answers must be equal, byte for byte.

`python -m tests.schema.compiled.differential 100000` runs as many, from a fresh seed; a second argument is the seed.
"""

from __future__ import annotations

import asyncio
import random
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from graphql import DocumentNode, GraphQLError, GraphQLSchema, OperationDefinitionNode, execute, parse, validate
from graphql.validation import OverlappingFieldsCanBeMergedRule
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from schema import build
from schema.compiled.compiler import Compiler
from tests.schema.compiled.documents import Document, document
from tests.schema.compiled.worlds import World, WorldAdapter

TROUBLES = (0.0, 0.05, 0.3, 1.0)


@dataclass(slots=True)
class Difference:
    """A document that is answered in two ways."""

    seed: int
    document: Document
    expected: bytes
    found: bytes

    def __str__(self) -> str:
        lines = (f"seed {self.seed}", self.document.text, str(self.document.variables))
        return "\n".join((*lines, f"graphql-core: {self.expected.decode()}", f"compiled:     {self.found.decode()}"))


@dataclass(slots=True)
class Tally:
    """What came of a number of documents."""

    compiler: Compiler
    documents: int = 0
    invalid: int = 0
    with_errors: int = 0
    differences: list[Difference] = field(default_factory=list)


class Differential:
    """Compares executions of random documents; a schema of its own, since its resolvers are replaced."""

    def __init__(self, world: type[World] = World) -> None:
        # Schemas of Strawberry share nothing with each other but the classes.
        self.schema: GraphQLSchema = build.schema.__wrapped__()._schema
        self._world = world
        self.world = world(self.schema, 0, 0.0)
        self.compiler = Compiler(self.schema, WorldAdapter(self.schema, lambda: self.world), uses_before=0)

    async def run(self, count: int, first_seed: int) -> Tally:
        """Compare that many valid documents."""
        tally = Tally(self.compiler)
        for seed in _seeds(first_seed):
            if tally.documents == count:
                return tally
            await self.one(seed, tally)
        return tally

    async def one(self, seed: int, tally: Tally) -> None:
        """Compare the document of a seed."""
        await self.compare(document(self.schema, random.Random(seed)), seed, tally)

    async def compare(self, made: Document, seed: int, tally: Tally) -> None:
        """Compare this document in the world of a seed."""
        node = self._parsed(made)
        if node is None:
            tally.invalid += 1
            return
        tally.documents += 1
        trouble = TROUBLES[seed % len(TROUBLES)]
        for _ in range(20):  # what graphql-core gave up of the document before calls its resolvers yet
            await asyncio.sleep(0)
        expected, calls = await self._core(node, made, seed, trouble)
        found, called = await self._compiled(node, made, seed, trouble)
        tally.with_errors += b'"errors":[]' not in expected
        if expected != found or (b'"errors":[]' in expected and Counter(calls) != Counter(called)):
            tally.differences.append(Difference(seed, made, expected, found))

    def _parsed(self, made: Document) -> DocumentNode | None:
        try:
            node = parse(made.text)
        except GraphQLError as error:
            raise AssertionError(f"{error}\n{made.text}") from error
        # Documents are made valid but for fields under one key, and looking at every rule would take most of the time.
        return node if not validate(self.schema, node, [OverlappingFieldsCanBeMergedRule], max_errors=1) else None

    def _root(self, node: DocumentNode) -> Any:
        """The event of a subscription, which is the value of its field."""
        operation = next(one for one in node.definitions if isinstance(one, OperationDefinitionNode))
        if operation.operation.value != "subscription":
            return None
        (only,) = operation.selection_set.selections
        subscription: Any = self.schema.subscription_type
        type_ = subscription.fields[only.name.value].type  # type: ignore[attr-defined]
        return self.world.value(self.world.rng("event"), type_, ("event",))

    async def _core(self, node: DocumentNode, made: Document, seed: int, trouble: float) -> tuple[bytes, list[str]]:
        self.world = self._world(self.schema, seed, trouble)
        result: Any = execute(
            self.schema,
            node,
            root_value=self._root(node),
            variable_values=made.variables,
            executor_class=StrawberryGraphQLCoreExecutionContext,
            is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type] # as Strawberry does
        )
        result = await result if optimized_is_awaitable(result) else result
        return _bytes(result), self.world.calls

    async def _compiled(self, node: DocumentNode, made: Document, seed: int, trouble: float) -> tuple[bytes, list[str]]:
        self.world = self._world(self.schema, seed, trouble)
        operation = next(one for one in node.definitions if isinstance(one, OperationDefinitionNode))
        result = await self.compiler.operation(node, operation).run(self._root(node), None, made.variables)
        return _bytes(result), self.world.calls


def _bytes(result: Any) -> bytes:
    errors = [{**error.formatted, "cause": type(error.original_error).__name__} for error in result.errors or ()]
    return orjson.dumps({"data": result.data, "errors": errors}, default=repr)


def _seeds(first: int) -> Iterator[int]:
    while True:
        yield first
        first += 1


def main() -> int:
    """Run as many as the first argument says; 1 if there is a difference."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(2**31)
    warnings.simplefilter("ignore", RuntimeWarning)
    print(f"seed {seed}")
    tally = asyncio.run(Differential().run(count, seed))
    for one in tally.differences[:3]:
        print(one, "\n")
    print(
        f"{tally.documents} documents ({tally.invalid} invalid ones left out), {tally.with_errors} with errors, "
        f"{len(tally.differences)} differences; {tally.compiler.counts}"
    )
    return 1 if tally.differences else 0


if __name__ == "__main__":
    sys.exit(main())
