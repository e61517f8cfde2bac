"""Runs one GraphQL operation, from its text to the answer's JSON: parse, check, measure, execute, and errors as clients see them.

Transports (HTTP now) hand in an `Operation` and get an `Answer`; whether a status code follows from it is their business.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any, Final, cast

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    execute,
    parse,
    validate,
)
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from escrow.errors import DomainError
from schema.context import Context
from schema.limits import DOCUMENT_CHARACTERS_MAX, TOKENS_MAX, Meter, TooComplex

DOCUMENTS_KEPT_MAX: Final = 256
"""Documents that are kept parsed and validated; the least recently used goes first. At most 25 MB of text."""

VALIDATION_ERRORS_MAX: Final = 10

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What a client asks to be run."""

    query: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The JSON of an answer, and whether the operation ran at all: if it didn't there is no `data`."""

    body: dict[str, Any]
    ran: bool


class NotAQuery(Exception):
    """A transport that only reads was handed a mutation or a subscription; nothing was run."""


@dataclass(slots=True)
class _Document:
    """A text that was parsed and validated; `errors` if it is not valid."""

    node: DocumentNode | None
    errors: list[GraphQLError]
    meters: dict[str, Meter] = field(default_factory=dict)


class Runner:
    """Runs operations against one schema, remembering the documents that it has seen."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._documents: OrderedDict[str, _Document] = OrderedDict()

    async def run(self, operation: Operation, context: Context, *, trace_id: str, only_queries: bool = False) -> Answer:
        """Run it. Never raises for what a client can do wrong, nor for what goes wrong inside: both are in the answer.

        Raises `NotAQuery` for another kind of operation if `only_queries`.
        """
        document = self._document(operation.query)
        if document.node is None or document.errors:
            return _refusal(document.errors)
        node, errors = _pick(document.node, operation.name)
        if node is None:
            return _refusal(errors)
        if only_queries and node.operation is not OperationType.QUERY:
            raise NotAQuery
        try:
            self._meter(document, node).check(operation.variables)
        except TooComplex as error:
            return _refusal([_too_complex(str(error))])
        result = await self._execute(document.node, node, operation.variables, context)
        return _answer(result, context, trace_id)

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
            return _Document(node, errors)
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

    async def _execute(
        self, document: DocumentNode, node: OperationDefinitionNode, variables: Mapping[str, Any], context: Context
    ) -> ExecutionResult:
        result = execute(
            self._schema,
            document,
            context_value=context,
            variable_values=dict(variables),
            operation_name=node.name.value if node.name else None,
            executor_class=StrawberryGraphQLCoreExecutionContext,
            is_awaitable=cast("Any", optimized_is_awaitable),
        )
        return await result if isawaitable(result) else result


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


def _answer(result: ExecutionResult, context: Context, trace_id: str) -> Answer:
    errors = result.errors or []
    if result.data is None and errors and all(error.path is None for error in errors):
        return _refusal(errors)  # the variables did not fit: nothing was run
    body: dict[str, Any] = {"data": result.data}
    if errors:
        body["errors"] = [_public(error, trace_id) for error in errors]
    if context.replayed:
        body["extensions"] = {"idempotentReplay": context.replayed}
    return Answer(body, ran=True)


def _public(error: GraphQLError, trace_id: str) -> dict[str, Any]:
    """An error as the client may see it: what is our own fault is logged and masked."""
    cause: BaseException | None = error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    if cause is None:
        return _formatted(error)
    if isinstance(cause, DomainError):  # a query that asked for what the domain refuses; mutations tell it as data
        return _formatted(error, field=cause.field)
    _log.error("internal error at %s, trace %s", error.path, trace_id, exc_info=cause)
    masked = GraphQLError(
        f"Something went wrong inside. Tell us the trace id {trace_id}.",
        nodes=error.nodes,
        path=error.path,
        extensions={"code": "INTERNAL", "traceId": trace_id},
    )
    return dict(masked.formatted)


def _formatted(error: GraphQLError, **values: str | None) -> dict[str, Any]:
    formatted: dict[str, Any] = dict(error.formatted)
    given = {name: value for name, value in values.items() if value is not None}
    formatted["extensions"] = {"code": "BAD_REQUEST"} | given | (error.extensions or {})
    return formatted
