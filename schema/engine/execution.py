"""Runs one GraphQL operation, from its text to the answer's JSON: parse, check, measure, execute, and errors as clients see them.

Transports hand in an `Operation` and get an `Answer`, or a `Stream` of answers for a subscription; whether a status code
follows from it is their business.
"""

from __future__ import annotations

import logging
from collections import Counter, OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any, Final, cast

import orjson
from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    Visitor,
    create_source_event_stream,
    execute,
    parse,
    validate,
    visit,
)
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from escrow.errors import DomainError
from escrow.process_log import trace_id
from schema.compiled.compiler import Compiler, Counts
from schema.compiled.compiler import Operation as CompiledOperation
from schema.engine.context import Context
from schema.engine.limits import DOCUMENT_CHARACTERS_MAX, TOKENS_MAX, Meter, TooComplex
from schema.engine.sources import Source, SourceEvent
from schema.engine.storable import unstorable, unstorable_literals
from schema.engine.streaming import Groups, Stream

DOCUMENTS_KEPT_MAX: Final = 256
"""Documents that are kept parsed and validated; the least recently used goes first. At most 25 MB of text."""

VALIDATION_ERRORS_MAX: Final = 10

NOT_STREAMED: Final = (
    "A subscription has no single answer: ask for it over a WebSocket (graphql-transport-ws) or with the header "
    "“Accept: text/event-stream”."
)

NOT_PERSISTED: Final = "PersistedQueryNotSupported"
"""The words by which clients of automatic persisted queries know that they have to send the document, from then on always."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What a client asks to be run."""

    query: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None
    by_hash_only: bool = False
    """Whether the document itself was left out, by the protocol of automatic persisted queries."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The JSON of an answer, and whether the operation ran at all: if it didn't there is no `data`."""

    body: dict[str, Any]
    ran: bool

    def json(self) -> bytes:
        """The body, printed."""
        return orjson.dumps(self.body)


class NotAQuery(Exception):
    """A transport that only reads was handed a mutation or a subscription; nothing was run."""


@dataclass(slots=True)
class _Document:
    """A text that was parsed and validated; `errors` if it is not valid."""

    node: DocumentNode | None
    errors: list[GraphQLError]
    meters: dict[str, Meter] = field(default_factory=dict)
    operations: dict[str, CompiledOperation] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The operation of a valid document that is meant."""

    document: DocumentNode
    node: OperationDefinitionNode
    compiled: CompiledOperation | None

    @property
    def name(self) -> str | None:
        return self.node.name.value if self.node.name else None

    @property
    def begins_at(self) -> frozenset[str]:
        """The variables that only say where a subscription begins: `after` of its field, and nothing else."""
        used: Counter[str] = Counter()

        class Count(Visitor):
            def enter_variable(self, node: VariableNode, *_: object) -> None:
                used[node.name.value] += 1

        visit(self.document, Count())
        fields = [one for one in self.node.selection_set.selections if isinstance(one, FieldNode)]
        return frozenset(
            given.value.name.value
            for one in fields
            for given in one.arguments or ()
            if given.name.value == "after"
            and isinstance(given.value, VariableNode)
            and used[given.value.name.value] == 2
        )


class Runner:
    """Runs operations against one schema, remembering the documents that it has seen."""

    def __init__(self, schema: GraphQLSchema, compiler: Compiler | None = None) -> None:
        self._schema, self._compiler = schema, compiler
        self._documents: OrderedDict[str, _Document] = OrderedDict()
        self._groups = Groups()

    def goes_on(self, operation: Operation) -> bool:
        """Whether it is a subscription, whose answers go on; what is no valid operation is none."""
        document = self._document(operation.query)
        if document.node is None or document.errors:
            return False
        node, _ = _pick(document.node, operation.name)
        return node is not None and node.operation is OperationType.SUBSCRIPTION

    async def run(self, operation: Operation, context: Context, *, only_queries: bool = False) -> Answer:
        """Run it. Never raises for what a client can do wrong, nor for what goes wrong inside: both are in the answer.

        Raises `NotAQuery` for another kind of operation if `only_queries`. A subscription has no single answer: it is
        refused.
        """
        chosen = self._choose(operation)
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
        chosen = self._choose(operation)
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

    def _choose(self, operation: Operation) -> _Chosen | Answer:
        """The operation that is meant, valid and within the limits; or why not."""
        if operation.by_hash_only:
            return _refusal([GraphQLError(NOT_PERSISTED, extensions={"code": "PERSISTED_QUERY_NOT_SUPPORTED"})])
        document = self._document(operation.query)
        if document.node is None or document.errors:
            return _refusal(document.errors)
        node, errors = _pick(document.node, operation.name)
        errors = errors or unstorable(operation.variables)
        if node is None or errors:
            return _refusal(errors)
        try:
            self._meter(document, node).check(operation.variables)
        except TooComplex as error:
            return _refusal([_too_complex(str(error))])
        return _Chosen(document.node, node, self._compiled(document, node))

    async def _subscribe(self, chosen: _Chosen, operation: Operation, context: Context) -> Answer | Stream:
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

        async def answer(source_event: SourceEvent) -> str | None:
            return await self._answer_source_event(chosen, operation.variables, context, source_event)

        return self._groups.open(_asked(chosen, operation, context), source, answer)

    async def _answer_source_event(
        self, chosen: _Chosen, variables: Mapping[str, Any], context: Context, source_event: SourceEvent
    ) -> str | None:
        fresh = Context(actor=context.actor, sandbox=context.sandbox, live=context.live)
        try:
            found = await source_event.load(fresh)
            if found is None:
                return None
            answer = _answer(await self._execute(chosen, variables, fresh, found), fresh)
        except Exception as error:  # noqa: BLE001 - as for a field: the client gets the trace, the log has the rest
            failed = GraphQLError("The object could not be loaded.", original_error=error)
            answer = Answer({"data": None, "errors": [_public(failed)]}, ran=True)
        return orjson.dumps(answer.body).decode()

    def _document(self, text: str) -> _Document:
        known = self._documents.get(text)
        if known is not None:
            self._documents.move_to_end(text)
            return known
        if len(text) > DOCUMENT_CHARACTERS_MAX:
            return _Document(
                None,
                [_too_complex(f"The query has {len(text)} characters; at most {DOCUMENT_CHARACTERS_MAX} are allowed.")],
            )
        document = self._read(text)
        self._documents[text] = document
        if len(self._documents) > DOCUMENTS_KEPT_MAX:
            self._documents.popitem(last=False)
        return document

    def _read(self, text: str) -> _Document:
        try:
            node = parse(text, max_tokens=TOKENS_MAX)
            errors = validate(self._schema, node, max_errors=VALIDATION_ERRORS_MAX)
            if any(error.message == "Validation aborted." for error in errors):
                return _Document(None, [_too_complex("The query repeats the same fields too often.")])
            return _Document(node, errors or unstorable_literals(text, node))
        except GraphQLError as error:
            if error.message.endswith("tokens. Parsing aborted."):
                return _Document(None, [_too_complex(f"The query has more than {TOKENS_MAX} tokens.")])
            if error.message.endswith("too deeply. Parsing aborted."):
                return _Document(None, [_too_complex("The query is nested too deeply.")])
            return _Document(None, [error])
        except RecursionError:
            return _Document(None, [_too_complex("The query is nested too deeply.")])

    def _meter(self, document: _Document, node: OperationDefinitionNode) -> Meter:
        name = node.name.value if node.name else ""
        meter = document.meters.get(name)
        if meter is None:
            document.meters[name] = meter = Meter(self._schema, cast("DocumentNode", document.node), node)
        return meter

    def _compiled(self, document: _Document, node: OperationDefinitionNode) -> CompiledOperation | None:
        if self._compiler is None:
            return None
        name = node.name.value if node.name else ""
        operation = document.operations.get(name)
        if operation is None:
            operation = self._compiler.operation(cast("DocumentNode", document.node), node)
            document.operations[name] = operation
        return operation

    async def _execute(
        self, chosen: _Chosen, variables: Mapping[str, Any], context: Context, root: object = None
    ) -> ExecutionResult:
        if chosen.compiled is not None:
            return await chosen.compiled.run(root, context, variables)
        result = execute(
            self._schema,
            chosen.document,
            root_value=root,
            context_value=context,
            variable_values=dict(variables),
            operation_name=chosen.name,
            executor_class=StrawberryGraphQLCoreExecutionContext,
            is_awaitable=cast("Any", optimized_is_awaitable),
        )
        return await result if isawaitable(result) else result


def _asked(chosen: _Chosen, operation: Operation, context: Context) -> Hashable:
    """What is the same for all who ask the same thing: who asks, and what, wherever in the log they began."""
    variables = {name: value for name, value in operation.variables.items() if name not in chosen.begins_at}
    return operation.query, chosen.name, orjson.dumps(variables, option=orjson.OPT_SORT_KEYS), context.actor


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
        return Answer({"data": result.data}, ran=True)
    errors = errors or []
    if result.data is None and errors and all(error.path is None for error in errors):
        return _refusal(errors)  # the variables did not fit: nothing was run
    body: dict[str, Any] = {"data": result.data}
    if errors:
        body["errors"] = [_public(error) for error in errors]
    if context.replayed:
        body["extensions"] = {"idempotentReplay": context.replayed}
    return Answer(body, ran=True)


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
