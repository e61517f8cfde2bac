"""What executing an operation costs, compiled and by graphql-core, with resolvers that have everything at hand: CPU time.

No engine is started. The types, scalars and enums are those of the real schema.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from graphql import ExecutionResult, GraphQLSchema, execute, parse
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from escrow.queries.counts import Counted
from schema import build
from schema.compiled.adapters.core import BatchCall, DirectCall
from schema.compiled.adapters.of_strawberry import StrawberryAdapter
from schema.compiled.compiler import Compiler, Operation
from schema.compiled.declare import Batch
from schema.connections import Connection, PageInfo
from tests.benchmarks.options import Options
from tests.benchmarks.tables import Table
from tests.engines import TestServer
from tests.schema.compiled.worlds import World

ROUNDS: Final = 5
CONTRACTS: Final = 50
MILESTONES: Final = 5

CONTRACT: Final = """
    id title state currency createdAt milestones { id position state title amount { amount currency } dueOn }
"""
DOCUMENTS: Final = {
    "one contract with its milestones": (f"query One($id: ID!) {{ contract(id: $id) {{ {CONTRACT} }} }}", 300),
    "50 contracts × 5 milestones": (
        f"query Many($first: Int!) {{ contracts(first: $first) {{ nodes {{ {CONTRACT} }} pageInfo {{ hasNextPage }} }} }}",
        15,
    ),
}
"""Each with how often it is run in a round."""


@dataclass(frozen=True, slots=True)
class Row:
    """Microseconds of CPU for one execution."""

    name: str
    core: float
    called: float
    """Compiled, with a resolver for each contract."""
    batched: float
    """Compiled, with one batch for all contracts."""
    compiling: float


async def _counted(_: Any) -> Counted:
    return Counted(CONTRACTS)


class AtHand(StrawberryAdapter):
    """Answers every resolver of the documents from memory."""

    def __init__(self, schema: GraphQLSchema, *, batches: bool) -> None:
        super().__init__(schema)
        world = World(schema, 1, 0.0)
        milestones = [world.object(schema.type_map["Milestone"], ("m", n), 0) for n in range(MILESTONES)]
        contracts = [world.object(schema.type_map["Contract"], ("c", n), 0) for n in range(CONTRACTS)]
        page = PageInfo(has_next_page=True, has_previous_page=False, start_cursor=None, end_cursor=None)
        found: Connection[Any] = Connection(edges=[], nodes=contracts, page_info=page, total=_counted)

        async def plan(*_: Any, **__: Any) -> Any:
            return milestones

        async def plans(parents: Sequence[Any], _: Any) -> Any:
            return [milestones] * len(parents)

        types: Any = schema.type_map
        types["Contract"].fields["milestones"].resolve = plan
        types["Query"].fields["contract"].resolve = _answering(contracts[0])
        types["Query"].fields["contracts"].resolve = _answering(found)
        self._batched = {id(types["Contract"].fields["milestones"]): BatchCall(Batch(plans), _same)} if batches else {}

    def batch(self, definition: Any) -> BatchCall | None:
        return self._batched.get(id(definition))

    def call(self, definition: Any) -> Any:
        return DirectCall(definition.resolve)


async def tables(_: TestServer, __: str, ___: Options) -> list[Table]:
    """One line for each document; in brackets how many times graphql-core's time is theirs."""
    rows = [
        [
            one.name,
            f"{one.core:,.0f}",
            *(f"{took:,.0f} ({one.core / took:.1f})" for took in (one.called, one.batched)),
            f"{one.compiling:,.0f}",
        ]
        for one in await measure()
    ]
    columns = ["", "graphql-core", "compiled", "with batches", "compiling once"]
    return [Table("execution", "Executing an operation without a database, µs of processor time", columns, rows)]


async def measure() -> list[Row]:
    """A row for each document: the least of several rounds that take turns."""
    rows = []
    schema: Any = build.schema.__wrapped__()._schema
    compilers = [Compiler(schema, AtHand(schema, batches=batches), uses_before=0) for batches in (False, True)]
    variables = {"id": "ctr_1", "first": CONTRACTS}
    for name, (text, times) in DOCUMENTS.items():
        node: Any = parse(text)
        operations = [one.operation(node, node.definitions[0]) for one in compilers]

        async def core(node: Any = node) -> ExecutionResult:
            result: Any = execute(
                schema,
                node,
                variable_values=variables,
                executor_class=StrawberryGraphQLCoreExecutionContext,
                is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type] # as Strawberry does
            )
            found: ExecutionResult = await result
            return found

        runs = [core, *(_running(one, variables) for one in operations)]
        answers = {orjson.dumps((await run()).data) for run in runs}
        if len(answers) != 1:
            raise AssertionError(name)
        best = [float("inf")] * len(runs)
        for _ in range(ROUNDS):
            for index, run in enumerate(runs):
                best[index] = min(best[index], await _microseconds(run, times))
        rows.append(Row(name, best[0], best[1], best[2], await _compiling(compilers[1], node, variables)))
    return rows


async def _compiling(compiler: Compiler, node: Any, variables: dict[str, Any]) -> float:
    async def fresh() -> ExecutionResult:
        return await compiler.operation(node, node.definitions[0]).run(None, None, variables)

    warm = compiler.operation(node, node.definitions[0])
    await warm.run(None, None, variables)
    return await _microseconds(fresh, 10) - await _microseconds(_running(warm, variables), 10)


def _running(operation: Operation, variables: dict[str, Any]) -> Callable[[], Awaitable[ExecutionResult]]:
    async def run() -> ExecutionResult:
        return await operation.run(None, None, variables)

    return run


async def _microseconds(run: Callable[[], Awaitable[ExecutionResult]], times: int) -> float:
    started = time.process_time()
    for _ in range(times):
        await run()
    return (time.process_time() - started) / times * 1e6


def _answering(value: Any) -> Callable[..., Awaitable[Any]]:
    async def answer(*_: Any, **__: Any) -> Any:
        return value

    return answer


def _same(arguments: dict[str, Any], _: Any) -> dict[str, Any]:
    return arguments
