"""Runs one GraphQL operation, from its text to the answer's JSON: parse, check, measure, execute, and errors as clients see them.

Transports hand in an `Operation` and get an `Answer`, or a `Stream` of answers for a subscription; whether a status code
follows from it is their business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any, Final, cast

import orjson
from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationType,
    assert_valid_schema,
    create_source_event_stream,
    execute,
)
from graphql.pyutils import AwaitableOrValue
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from escrow import database
from escrow.annex import Annex
from escrow.aside import aside, aside_if
from escrow.traces import Trace
from escrow.turns import Turns
from schema.compiled.compiler import Compiler, Counts
from schema.engine import costs, listing
from schema.engine.annexed import DEAR, Annexed
from schema.engine.budget import OverBudget
from schema.engine.context import Context
from schema.engine.introspection import SchemaAnswers, is_about_the_schema
from schema.engine.limits import Meter, TooComplex
from schema.engine.parsing import READ_AT_ONCE_CHARACTERS, Document, Documents, NotRegistered, Prepared, pick
from schema.engine.paying import Paying, beyond
from schema.engine.sources import Source, SourceEvent
from schema.engine.storable import unstorable
from schema.engine.streaming import Groups, Refused, Stream, WithErrors, once_there
from schema.engine.told import Answer, answer_of, cause_of, not_found, over_budget, public, refusal, told, too_complex

NOT_STREAMED: Final = (
    "A subscription has no single answer: ask for it over a WebSocket (graphql-transport-ws) or with the header "
    "“Accept: text/event-stream”."
)

TAKEN_BACK: Final = (
    "The document of this subscription is registered no more: subscribe to one that is. `earnest documents add` registers "
    "it again."
)

NOT_PERSISTED: Final = "PersistedQueryNotSupported"
"""The words by which clients of automatic persisted queries know that they have to send the document, from then on always."""

LONG_BYTES: Final = 16_000
"""What comes in more bytes is read, and run, in the annex, whatever it costs."""

COMPILED_AT_ONCE: Final = 1_000
"""Points from which an operation is compiled at its first use: running it takes longer than compiling it."""

LISTED_AT_ONCE: Final = 2
"""Likewise where an entry of a list without a page size costs more: how long the list is shows when it is run, and for the
longest plan graphql-core would hold the loop for 10 ms and more."""


@dataclass(slots=True, kw_only=True)
class Operation:
    """What a client asks to be run. Nobody changes it: to have it frozen would take longer than to parse its JSON."""

    query: str | None
    """The document; `None` if only its identifier was sent."""
    variables: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None
    document_id: str | None = None
    """The identifier of a registered document: `sha256:` and the digest of its text."""
    is_automatic: bool = False
    """Whether it was sent by the protocol of automatic persisted queries, whose clients fall back to the text if told so."""
    length: int = 0
    """How many bytes it came in, where that is known."""
    has_escapes: bool = True
    """Whether its JSON wrote characters by their numbers, as some have to be that can't be stored."""
    trace: Trace | None = None
    """The trace that it belongs to, if it said so by itself: an operation of a socket has no headers of its own."""

    @property
    def is_long(self) -> bool:
        """Whether it is so long that even looking at it takes milliseconds."""
        return self.length > LONG_BYTES


class NotAQuery(Exception):
    """A transport that only reads was handed a mutation or a subscription; nothing was run."""


class _Dear(Exception):
    """The operation belongs into the annex; nothing was paid yet but reading the document."""


class Runner:
    """Runs operations against one schema, remembering the documents that it has seen."""

    def __init__(
        self,
        schema: GraphQLSchema,
        compiler: Compiler | None = None,
        *,
        only_registered: bool = False,
        in_annex: Callable[[], Runner] | None = None,
    ) -> None:
        """`in_annex` makes the one that runs in an annex what is dear or long, once there is one."""
        self._schema, self._compiler = schema, compiler
        self._documents = Documents(schema, only_registered=only_registered)
        self._schema_answers = SchemaAnswers()
        self._groups = Groups()
        self._turns = Turns()
        self._in_annex = in_annex or (lambda: Runner(schema))
        self._annexed: Annexed[Operation] | None = None

    def open(self, annex: Annex) -> None:
        """Run in this annex what is dear or long."""
        assert_valid_schema(self._schema)  # once; else the first document would wait for it
        self._annexed = Annexed(annex, self._in_annex())

    def close(self) -> None:
        """Run everything here again."""
        self._annexed = None

    async def goes_on(self, operation: Operation, context: Context) -> bool:
        """Whether it is a subscription, whose answers go on; what is no valid operation is none."""
        try:
            document = await self._documents.find(operation.query, operation.document_id, context)
        except (OverBudget, TooComplex, NotRegistered):
            return False  # it is told when the operation is run
        if document.node is None or document.errors:
            return False
        node, _ = pick(document.node, operation.name)
        return node is not None and node.operation is OperationType.SUBSCRIPTION

    async def run(self, operation: Operation, context: Context, *, only_queries: bool = False) -> Answer:
        """Run it. Never raises for what a client can do wrong, nor for what goes wrong inside: both are in the answer.

        Raises `NotAQuery` for another kind of operation if `only_queries`. A subscription has no single answer: it is
        refused.
        """
        try:
            chosen = await self._choose(operation, context)
        except _Dear:
            return await self._run_annexed(operation, context, only_queries=only_queries)
        if isinstance(chosen, Answer):
            return chosen
        if only_queries and chosen.node.operation is not OperationType.QUERY:
            raise NotAQuery
        if chosen.node.operation is OperationType.SUBSCRIPTION:
            return refusal([GraphQLError(NOT_STREAMED)])
        return await self._answered(chosen, operation, context)

    async def start(self, operation: Operation, context: Context, *, only_reading: bool = False) -> Answer | Stream:
        """Like `run`, for a transport with room for more than one answer: a subscription becomes a stream of them.

        Raises `NotAQuery` for a mutation if `only_reading`.
        """
        try:
            goes_on = operation.is_long and await self.goes_on(operation, context)
            chosen = await self._choose(operation, context, goes_on=goes_on)
        except _Dear:
            return await self._run_annexed(operation, context, only_queries=only_reading)
        if isinstance(chosen, Answer):
            return chosen
        if only_reading and chosen.node.operation is OperationType.MUTATION:
            raise NotAQuery
        if chosen.node.operation is OperationType.SUBSCRIPTION:
            async with self._turns.of(context.owner):
                return await self._subscribe(chosen, operation, context)
        return await self._answered(chosen, operation, context)

    async def answered(
        self, operation: Operation, context: Context, source_event: SourceEvent
    ) -> tuple[bytes | None, float]:
        """The answer of a subscription, which is valid and paid for, to one source event: printed, `None` if there is nothing to
        say any more, and what it cost beyond its price.
        """
        document = await self._documents.find(operation.query, operation.document_id, context)
        chosen = document.prepared.get(operation.name) or await self._prepared(document, operation.name, context)
        chosen = cast("Prepared", chosen)
        chosen.meter.check(operation.variables)
        return await self._answer_source_event(chosen, operation.variables, context, source_event)

    @property
    def counts(self) -> Counts:
        """What became of the executions so far; nothing is counted if nothing is compiled."""
        return self._compiler.counts if self._compiler is not None else Counts()

    async def _run_annexed(self, operation: Operation, context: Context, *, only_queries: bool) -> Answer:
        try:
            return await cast("Annexed[Operation]", self._annexed).run(operation, context, only_queries=only_queries)
        except OverBudget as error:
            return over_budget(error, context)

    async def _choose(self, operation: Operation, context: Context, *, goes_on: bool = False) -> Prepared | Answer:
        """The operation that is meant, valid, within the limits and paid for; or why not. Raises `_Dear`.

        What `goes_on` stays in the home loop.
        """
        if operation.is_long and self._annexed is not None and not goes_on:
            raise _Dear
        try:
            return await self._chosen(operation, context)
        except TooComplex as error:
            if context.budget is not None:
                context.budget.charge(costs.REFUSED)
            return refusal([too_complex(str(error))])
        except NotRegistered as error:
            if operation.query is None and operation.is_automatic:
                return refusal([GraphQLError(NOT_PERSISTED, extensions={"code": "PERSISTED_QUERY_NOT_SUPPORTED"})])
            return refusal([not_found(str(error))])
        except OverBudget as error:
            return over_budget(error, context)

    async def _chosen(self, operation: Operation, context: Context) -> Prepared | Answer:
        document = self._documents.known(operation.query)
        if document is None:
            document = await self._documents.find(operation.query, operation.document_id, context)
        prepared = document.prepared.get(operation.name) or await self._prepared(document, operation.name, context)
        if isinstance(prepared, list):
            return refusal(prepared)
        errors = unstorable(operation.variables) if operation.has_escapes else []
        if errors:
            return refusal(errors)
        meter, variables = prepared.meter, operation.variables
        cost = await self._cost(meter, variables, context) if prepared.is_long else meter.check(variables)
        listed_price = meter.listed(variables)
        if prepared.compiled is not None and (cost > COMPILED_AT_ONCE or listed_price > LISTED_AT_ONCE):
            prepared.compiled.compile_at_once()
        if self._annexed is not None and _is_dear(prepared, cost, variables):
            raise _Dear
        if prepared.is_about_the_schema:
            return await self._answer_about_the_schema(prepared, cost, operation, context)
        context.listed_price = listed_price
        if context.budget is not None:
            await context.budget.spend(cost)
        if prepared.compiled is not None:
            prepared.compiled.earn((cost - costs.OPERATION) / costs.COMPILED)
        return prepared

    async def _answer_about_the_schema(
        self, chosen: Prepared, cost: int, operation: Operation, context: Context
    ) -> Answer:
        """The same answer for everybody, made once, beside the loop."""
        question = self._schema_answers.question(
            operation.query or operation.document_id or "", chosen.name, chosen.declared(operation.variables)
        )
        known = self._schema_answers.get(question)
        if context.budget is not None:
            await context.budget.spend(costs.OPERATION if known is not None else cost)
        if known is not None:
            return Answer(told({"data": orjson.Fragment(known)}, context), ran=True)
        result = await aside(lambda: self._begin(chosen, operation.variables, context, None), owner=context.owner)
        answer = answer_of(cast("ExecutionResult", result), context)
        if answer.ran and "errors" not in answer.body:
            printed = await aside(lambda: orjson.dumps(answer.body["data"]), owner=context.owner)
            self._schema_answers.keep(question, printed)
            return Answer(answer.body | {"data": orjson.Fragment(printed)}, ran=True)
        return answer

    async def _subscribe(self, chosen: Prepared, operation: Operation, context: Context) -> Answer | Stream:
        executor = StrawberryGraphQLCoreExecutionContext.build(
            self._schema,
            chosen.document,
            context_value=context,
            raw_variable_values=dict(operation.variables),
            operation_name=chosen.name,
            is_awaitable=cast("Any", optimized_is_awaitable),
        )
        if isinstance(executor, list):
            return refusal(executor)
        made = create_source_event_stream(executor)
        source = await made if isawaitable(made) else made
        if not isinstance(source, Source):
            errors = source.errors or [] if isinstance(source, ExecutionResult) else []
            return Answer({"errors": [public(error) for error in errors]}, ran=False)

        paying = Paying(context.budget, chosen.meter.check(operation.variables))

        async def executed(source_event: SourceEvent) -> tuple[bytes | None, float]:
            if paying.is_dear and self._annexed is not None:
                return await self._annexed.answered(operation, context, source_event)
            async with self._turns.of(context.owner):
                await self._documents.check(operation.query, operation.document_id)
                return await self._answer_source_event(chosen, operation.variables, context, source_event)

        async def answer(source_event: SourceEvent) -> bytes | None:
            await paying.next()
            try:
                json, beyond_it = await once_there(lambda: executed(source_event), context.check_viewer)
            except NotRegistered:
                raise Refused(refusal([not_found(TAKEN_BACK)])) from None
            paying.made(beyond_it)
            return json

        return self._groups.open(_asked(chosen, operation, context), source, answer, paying.sent)

    async def _answer_source_event(
        self, chosen: Prepared, variables: Mapping[str, Any], context: Context, source_event: SourceEvent
    ) -> tuple[bytes | None, float]:
        """Raises one of `database.AWAY` if that is why it can't be told."""
        fresh = Context(actor=context.actor, sandbox=context.sandbox, live=context.live)
        fresh.listed_price = chosen.meter.listed(variables)
        try:
            found = await source_event.load(fresh)
            if found is None:
                return None, 0
            answer = answer_of(_unless_away(await self._execute(chosen, variables, fresh, found)), fresh)
        except database.AWAY:
            raise
        except Exception as error:  # noqa: BLE001 - as for a field: the client gets the trace, the log has the rest
            failed = GraphQLError("The object could not be loaded.", original_error=error)
            answer = Answer({"data": None, "errors": [public(failed)]}, ran=True)
        json = answer.json()
        return WithErrors(json) if "errors" in answer.body else json, beyond(fresh)

    async def _cost(self, meter: Meter, variables: Mapping[str, Any], context: Context) -> int:
        """What a long document costs; that is found out beside the loop, unless it is known already."""
        if meter.knows(variables):
            return meter.check(variables)
        return await aside(lambda: meter.check(variables), owner=context.owner)

    async def _prepared(self, document: Document, name: str | None, context: Context) -> Prepared | list[GraphQLError]:
        """The operation of that name, kept beside its document; or why there is none."""
        parsed = document.node
        if parsed is None or document.errors:
            return document.errors
        node, errors = pick(parsed, name)
        if node is None:
            return errors
        is_long = node.loc is not None and len(node.loc.source.body) > READ_AT_ONCE_CHARACTERS
        meter = await aside_if(is_long, lambda: Meter(self._schema, parsed, node), owner=context.owner)
        only_lists = await aside_if(is_long, lambda: listing.only_lists(parsed, node), owner=context.owner)
        compiled = self._compiler.operation(parsed, node) if self._compiler is not None else None
        document.prepared[name] = prepared = Prepared(
            parsed,
            node,
            meter,
            compiled,
            is_long=is_long,
            is_about_the_schema=is_about_the_schema(node),
            only_lists=only_lists,
        )
        return prepared

    async def _answered(self, chosen: Prepared, operation: Operation, context: Context) -> Answer:
        """The answer of a query or a mutation, when it is its owner's turn."""
        turns, owner = self._turns, context.owner
        has_waited = not turns.begin_at_once(owner)
        if has_waited:
            await turns.wait(owner)
        try:
            if has_waited or chosen.is_long:  # which is read in line with others that are
                await context.begin()
            return answer_of(await self._executed(chosen, operation.variables, context), context)
        finally:
            turns.end(owner)

    async def _executed(self, chosen: Prepared, variables: Mapping[str, Any], context: Context) -> ExecutionResult:
        """What comes of it, read from a standby where that will do."""
        if chosen.only_lists:
            found = await listing.from_standby(
                chosen.node, context, lambda there: self._execute(chosen, variables, there)
            )
            if found is not None:
                return found
        if chosen.node.operation is not OperationType.MUTATION:
            return await self._execute(chosen, variables, context)
        try:
            result = await self._execute(chosen, variables, context)
        except asyncio.CancelledError:
            await listing.may_have_written(context)
            raise
        await listing.wrote(context)
        return result

    async def _execute(
        self, chosen: Prepared, variables: Mapping[str, Any], context: Context, root: object = None
    ) -> ExecutionResult:
        if chosen.compiled is not None:
            return await chosen.compiled.run(root, context, variables)
        result = self._begin(chosen, variables, context, root)
        return await result if isawaitable(result) else result

    def _begin(
        self, chosen: Prepared, variables: Mapping[str, Any], context: Context, root: object
    ) -> AwaitableOrValue[ExecutionResult]:
        return execute(
            self._schema,
            chosen.document,
            root_value=root,
            context_value=context,
            variable_values=dict(variables),
            operation_name=chosen.name,
            executor_class=StrawberryGraphQLCoreExecutionContext,
            is_awaitable=cast("Any", optimized_is_awaitable),
        )


def _is_dear(prepared: Prepared, cost: int, variables: Mapping[str, Any]) -> bool:
    """Whether the home loop would be held too long. What is light is so only where it is compiled."""
    if cost <= DEAR or prepared.node.operation is OperationType.SUBSCRIPTION:
        return False
    compiled = prepared.compiled
    return compiled is None or compiled.falls_back or prepared.meter.busy(variables) > DEAR


def _unless_away(result: ExecutionResult) -> ExecutionResult:
    """The result; raises one of `database.AWAY` if that is why something is missing in it."""
    for error in result.errors or ():
        cause = cause_of(error)
        if isinstance(cause, database.AWAY):
            raise cause
    return result


def _asked(chosen: Prepared, operation: Operation, context: Context) -> Hashable:
    """What is the same for all who ask the same thing: who asks, and what, wherever in the log they began."""
    declared, begins_at = chosen.declared(operation.variables), chosen.begins_at
    variables = {name: value for name, value in declared.items() if name not in begins_at}
    return (
        operation.query or operation.document_id,
        chosen.name,
        orjson.dumps(variables, option=orjson.OPT_SORT_KEYS),
        context.actor,
    )
