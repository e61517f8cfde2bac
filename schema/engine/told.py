"""Makes the body of an answer: what came of an operation, why it didn't run, and errors as clients see them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Final

import orjson
from graphql import ExecutionResult, GraphQLError

from escrow import meters
from escrow.errors import DomainError
from escrow.log import UnknownEvent
from escrow.traces import trace_id
from schema.engine.budget import OverBudget
from schema.engine.context import Context
from schema.error_codes import coded

ERRORS_TOLD_MAX: Final = 100
"""Errors of one answer that are told each for itself: a list of thousands says no more, and each takes its time."""

UPDATING: Final = (
    "Earnest is being updated, and what answered doesn't know yet what happened here. Nothing was done; repeat it."
)

FAULTS: Final = meters.Counter("earnest_operation_faults", "Fields of operations that failed by a fault of ours")
"""The answer has status 200 all the same, as GraphQL wants it."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Answer:
    """The JSON of an answer, and whether the operation ran at all: if it didn't there is no `data`. Nobody changes it."""

    body: dict[str, Any]
    ran: bool
    retry_after_seconds: float | None = None
    """When to ask again, if whoever asks had too little left."""
    printed: bytes | None = None
    """The body, where it was printed already; then it isn't kept in any other form."""

    def json(self) -> bytes:
        """The body, printed."""
        return self.printed if self.printed is not None else orjson.dumps(self.body)

    def as_printed(self, printed: bytes) -> Answer:
        """The same, as its JSON alone."""
        return Answer({}, self.ran, self.retry_after_seconds, printed)


def over_budget(error: OverBudget, context: Context) -> Answer:
    """The answer to an operation that could not be paid for: nothing was run."""
    failed = GraphQLError(str(error), extensions={"code": "RATE_LIMITED"})
    body = told({"errors": [formatted(failed)]}, context)
    return Answer(body, ran=False, retry_after_seconds=error.retry_after_seconds)


def too_complex(message: str) -> GraphQLError:
    """What an operation is refused with that asks for too much."""
    return GraphQLError(message, extensions={"code": "QUERY_TOO_COMPLEX"})


def not_found(message: str) -> GraphQLError:
    """What an operation is refused with whose document isn't registered."""
    return GraphQLError(message, extensions={"code": "DOCUMENT_NOT_FOUND"})


def refusal(errors: list[GraphQLError]) -> Answer:
    """The answer to an operation that did not run: errors only."""
    return Answer({"errors": [formatted(error) for error in errors]}, ran=False)


def answer_of(result: ExecutionResult, context: Context) -> Answer:
    """The answer that an execution came to."""
    errors = result.errors
    if not errors and not context.replayed:
        return Answer(told({"data": result.data}, context), ran=True)
    errors = errors or []
    if result.data is None and errors and all(error.path is None for error in errors):
        return refusal(errors)  # the variables did not fit: nothing was run
    body: dict[str, Any] = {"data": result.data}
    if errors:
        body["errors"] = [public(error) for error in errors[:ERRORS_TOLD_MAX]]
        if len(errors) > ERRORS_TOLD_MAX:
            body["errors"].append(formatted(GraphQLError(f"There are {len(errors) - ERRORS_TOLD_MAX} more errors.")))
    if context.replayed:
        body["extensions"] = {"idempotentReplay": context.replayed}
    return Answer(told(body, context), ran=True)


def told(body: dict[str, Any], context: Context) -> dict[str, Any]:
    """The body with what the operation cost, where it cost something."""
    if context.budget is not None:
        body["extensions"] = body.get("extensions", {}) | {"cost": context.budget.told()}
    return body


def cause_of(error: GraphQLError) -> BaseException | None:
    """What was raised where the error came from; `None` if nothing but the error itself."""
    cause: BaseException | None = error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    return cause


def public(error: GraphQLError) -> dict[str, Any]:
    """An error as the client may see it: what is our own fault is logged and masked."""
    cause = cause_of(error)
    if cause is None:
        return formatted(error)
    if isinstance(cause, DomainError):  # a query that asked for what the domain refuses; mutations tell it as data
        return formatted(error, field=cause.field)
    if isinstance(cause, UnknownEvent):
        _log.warning("a later release was here", extra={"path": error.path, "error": cause})
        return formatted(GraphQLError(UPDATING, nodes=error.nodes, path=error.path, extensions={"code": "UPDATING"}))
    trace = trace_id()
    FAULTS.add()
    _log.error("a field failed by a fault of ours", extra={"path": error.path}, exc_info=cause)
    masked = GraphQLError(
        f"Something went wrong inside. Tell us the trace id {trace}.",
        nodes=error.nodes,
        path=error.path,
        extensions={"code": "INTERNAL", "traceId": trace},
    )
    return formatted(masked)


def formatted(error: GraphQLError, **values: str | None) -> dict[str, Any]:
    """An error as the specification has it, with a code and the page about it."""
    found: dict[str, Any] = dict(error.formatted)
    given = {name: value for name, value in values.items() if value is not None}
    found["extensions"] = coded(**{"code": "BAD_REQUEST"} | given | (error.extensions or {}))
    return found
