"""Runs one GraphQL operation, from its text to the answer's JSON: parse, check, measure, execute, and errors as clients see them.

Transports hand in an `Operation` and get an `Answer`, or a `Stream` of answers for a subscription; whether a status code
follows from it is their business.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any, Final, cast

import orjson
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    create_source_event_stream,
    execute,
)
from graphql.pyutils import AwaitableOrValue
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from escrow.aside import aside
from escrow.errors import DomainError
from escrow.process_log import trace_id
from schema.compiled.compiler import Compiler, Counts
from schema.engine import costs
from schema.engine.budget import OverBudget
from schema.engine.context import Context
from schema.engine.introspection import SchemaAnswers, is_about_the_schema
from schema.engine.limits import Meter, TooComplex
from schema.engine.parsing import Document, Documents, NotRegistered, Prepared
from schema.engine.sources import Source, SourceEvent
from schema.engine.storable import unstorable
from schema.engine.streaming import Groups, Stream

NOT_STREAMED: Final = (
    "A subscription has no single answer: ask for it over a WebSocket (graphql-transport-ws) or with the header "
    "“Accept: text/event-stream”."
)

NOT_PERSISTED: Final = "PersistedQueryNotSupported"
"""The words by which clients of automatic persisted queries know that they have to send the document, from then on always."""

COMPILED_AT_ONCE: Final = 1_000
"""Points from which an operation is compiled at its first use: running it takes longer than compiling it."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What a client asks to be run."""

    query: str | None
    """The document; `None` if only its identifier was sent."""
    variables: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None
    document_id: str | None = None
    """The identifier of a registered document: `sha256:` and the digest of its text."""
    is_automatic: bool = False
    """Whether it was sent by the protocol of automatic persisted queries, whose clients fall back to the text if told so."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The JSON of an answer, and whether the operation ran at all: if it didn't there is no `data`."""

    body: dict[str, Any]
    ran: bool
    retry_after_seconds: float | None = None
    """When to ask again, if whoever asks had too little left."""

    def json(self) -> bytes:
        """The body, printed."""
        return orjson.dumps(self.body)


class NotAQuery(Exception):
    """A transport that only reads was handed a mutation or a subscription; nothing was run."""


class Runner:
    """Runs operations against one schema, remembering the documents that it has seen."""

    def __init__(
        self, schema: GraphQLSchema, compiler: Compiler | None = None, *, only_registered: bool = False
    ) -> None:
        self._schema, self._compiler = schema, compiler
        self._documents = Documents(schema, only_registered=only_registered)
        self._schema_answers = SchemaAnswers()
        self._groups = Groups()

    async def goes_on(self, operation: Operation, context: Context) -> bool:
        """Whether it is a subscription, whose answers go on; what is no valid operation is none."""
        try:
            document = await self._documents.find(operation.query, operation.document_id, context)
        except (OverBudget, TooComplex, NotRegistered):
            return False  # it is told when the operation is run
        if document.node is None or document.errors:
            return False
        node, _ = _pick(document.node, operation.name)
        return node is not None and node.operation is OperationType.SUBSCRIPTION

    async def run(self, operation: Operation, context: Context, *, only_queries: bool = False) -> Answer:
        """Run it. Never raises for what a client can do wrong, nor for what goes wrong inside: both are in the answer.

        Raises `NotAQuery` for another kind of operation if `only_queries`. A subscription has no single answer: it is
        refused.
        """
        chosen = await self._choose(operation, context)
        if isinstance(chosen, Answer):
            return chosen
        if only_queries and chosen.node.operation is not OperationType.QUERY:
            raise NotAQuery
        if chosen.node.operation is OperationType.SUBSCRIPTION:
            return _refusal([GraphQLError(NOT_STREAMED)])
        return _answer(await self._execute(chosen, operation.variables, context), context)

    async def start(self, operation: Operation, context: Context, *, only_reading: bool = False) -> Answer | Stream:
        """Like `run`, for a transport with room for more than one answer: a subscription becomes a stream of them.

        Raises `NotAQuery` for a mutation if `only_reading`.
        """
        chosen = await self._choose(operation, context)
        if isinstance(chosen, Answer):
            return chosen
        if only_reading and chosen.node.operation is OperationType.MUTATION:
            raise NotAQuery
        if chosen.node.operation is OperationType.SUBSCRIPTION:
            return await self._subscribe(chosen, operation, context)
        return _answer(await self._execute(chosen, operation.variables, context), context)

    @property
    def counts(self) -> Counts:
        """What became of the executions so far; nothing is counted if nothing is compiled."""
        return self._compiler.counts if self._compiler is not None else Counts()

    async def _choose(self, operation: Operation, context: Context) -> Prepared | Answer:
        """The operation that is meant, valid, within the limits and paid for; or why not."""
        try:
            return await self._chosen(operation, context)
        except TooComplex as error:
            if context.budget is not None:
                context.budget.charge(costs.REFUSED)
            return _refusal([_too_complex(str(error))])
        except NotRegistered as error:
            if operation.query is None and operation.is_automatic:
                return _refusal([GraphQLError(NOT_PERSISTED, extensions={"code": "PERSISTED_QUERY_NOT_SUPPORTED"})])
            return _refusal([GraphQLError(str(error), extensions={"code": "DOCUMENT_NOT_FOUND"})])
        except OverBudget as error:
            refusal = GraphQLError(str(error), extensions={"code": "RATE_LIMITED"})
            body = _told({"errors": [_formatted(refusal)]}, context)
            return Answer(body, ran=False, retry_after_seconds=error.retry_after_seconds)

    async def _chosen(self, operation: Operation, context: Context) -> Prepared | Answer:
        document = await self._documents.find(operation.query, operation.document_id, context)
        prepared = document.prepared.get(operation.name) or self._prepared(document, operation.name)
        errors = prepared if isinstance(prepared, list) else unstorable(operation.variables)
        if isinstance(prepared, list) or errors:
            return _refusal(errors)
        cost = prepared.meter.check(operation.variables)
        if prepared.compiled is not None and cost > COMPILED_AT_ONCE:
            prepared.compiled.compile_at_once()
        if prepared.is_about_the_schema:
            return await self._answer_about_the_schema(prepared, cost, operation, context)
        if context.budget is not None:
            await context.budget.spend(cost)
        return prepared

    async def _answer_about_the_schema(
        self, chosen: Prepared, cost: int, operation: Operation, context: Context
    ) -> Answer:
        """The same answer for everybody, made once, beside the loop."""
        question = self._schema_answers.question(
            operation.query or operation.document_id or "", chosen.name, operation.variables
        )
        known = self._schema_answers.get(question)
        if context.budget is not None:
            await context.budget.spend(costs.OPERATION if known is not None else cost)
        if known is not None:
            return Answer(_told({"data": orjson.Fragment(known)}, context), ran=True)
        result = await aside(lambda: self._begin(chosen, operation.variables, context, None), owner=context.owner)
        answer = _answer(cast("ExecutionResult", result), context)
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
            return _refusal(executor)
        made = create_source_event_stream(executor)
        source = await made if isawaitable(made) else made
        if not isinstance(source, Source):
            errors = source.errors or [] if isinstance(source, ExecutionResult) else []
            return Answer({"errors": [_public(error) for error in errors]}, ran=False)

        async def answer(source_event: SourceEvent) -> bytes | None:
            return await self._answer_source_event(chosen, operation.variables, context, source_event)

        return self._groups.open(_asked(chosen, operation, context), source, answer)

    async def _answer_source_event(
        self, chosen: Prepared, variables: Mapping[str, Any], context: Context, source_event: SourceEvent
    ) -> bytes | None:
        fresh = Context(actor=context.actor, sandbox=context.sandbox, live=context.live)
        try:
            found = await source_event.load(fresh)
            if found is None:
                return None
            answer = _answer(await self._execute(chosen, variables, fresh, found), fresh)
        except Exception as error:  # noqa: BLE001 - as for a field: the client gets the trace, the log has the rest
            failed = GraphQLError("The object could not be loaded.", original_error=error)
            answer = Answer({"data": None, "errors": [_public(failed)]}, ran=True)
        return answer.json()

    def _prepared(self, document: Document, name: str | None) -> Prepared | list[GraphQLError]:
        """The operation of that name, kept beside its document; or why there is none."""
        if document.node is None or document.errors:
            return document.errors
        node, errors = _pick(document.node, name)
        if node is None:
            return errors
        compiled = self._compiler.operation(document.node, node) if self._compiler is not None else None
        meter = Meter(self._schema, document.node, node)
        document.prepared[name] = prepared = Prepared(document.node, node, meter, compiled, is_about_the_schema(node))
        return prepared

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


def _asked(chosen: Prepared, operation: Operation, context: Context) -> Hashable:
    """What is the same for all who ask the same thing: who asks, and what, wherever in the log they began."""
    variables = {name: value for name, value in operation.variables.items() if name not in chosen.begins_at}
    return (
        operation.query or operation.document_id,
        chosen.name,
        orjson.dumps(variables, option=orjson.OPT_SORT_KEYS),
        context.actor,
    )


def _pick(document: DocumentNode, name: str | None) -> tuple[OperationDefinitionNode | None, list[GraphQLError]]:
    """The operation that is meant: the one of that name, or the only one."""
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if name is not None:
        for node in operations:
            if node.name is not None and node.name.value == name:
                return node, []
        return None, [GraphQLError(f"The query has no operation “{name}”.")]
    if len(operations) == 1:
        return operations[0], []
    return None, [
        GraphQLError("The query has several operations; name one in `operationName`.")
        if operations
        else GraphQLError("The query has no operation, only fragments.")
    ]


def _too_complex(message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": "QUERY_TOO_COMPLEX"})


def _refusal(errors: list[GraphQLError]) -> Answer:
    """The answer to an operation that did not run: errors only."""
    return Answer({"errors": [_formatted(error) for error in errors]}, ran=False)


def _answer(result: ExecutionResult, context: Context) -> Answer:
    errors = result.errors
    if not errors and not context.replayed:
        return Answer(_told({"data": result.data}, context), ran=True)
    errors = errors or []
    if result.data is None and errors and all(error.path is None for error in errors):
        return _refusal(errors)  # the variables did not fit: nothing was run
    body: dict[str, Any] = {"data": result.data}
    if errors:
        body["errors"] = [_public(error) for error in errors]
    if context.replayed:
        body["extensions"] = {"idempotentReplay": context.replayed}
    return Answer(_told(body, context), ran=True)


def _told(body: dict[str, Any], context: Context) -> dict[str, Any]:
    """The body with what the operation cost, where it cost something."""
    if context.budget is not None:
        body["extensions"] = body.get("extensions", {}) | {"cost": context.budget.told()}
    return body


def _public(error: GraphQLError) -> dict[str, Any]:
    """An error as the client may see it: what is our own fault is logged and masked."""
    cause: BaseException | None = error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    if cause is None:
        return _formatted(error)
    if isinstance(cause, DomainError):  # a query that asked for what the domain refuses; mutations tell it as data
        return _formatted(error, field=cause.field)
    trace = trace_id()
    _log.error("a field failed by a fault of ours", extra={"path": error.path}, exc_info=cause)
    masked = GraphQLError(
        f"Something went wrong inside. Tell us the trace id {trace}.",
        nodes=error.nodes,
        path=error.path,
        extensions={"code": "INTERNAL", "traceId": trace},
    )
    return dict(masked.formatted)


def _formatted(error: GraphQLError, **values: str | None) -> dict[str, Any]:
    formatted: dict[str, Any] = dict(error.formatted)
    given = {name: value for name, value in values.items() if value is not None}
    formatted["extensions"] = {"code": "BAD_REQUEST"} | given | (error.extensions or {})
    return formatted
