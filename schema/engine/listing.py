"""Has operations that only list answered by a standby of the database, where there is one that is near enough.

What is asked for by name (one contract, what an identifier stands for, a preview) is always read from the primary: whoever
was told of one thing finds it as it is. So is what the law allows now, in lists, too. Lists and the feed may be some seconds
old for what others did, never for what the viewer did. What fails at the standby, the primary answers: a cursor that is newer
than the standby is none of the client's faults. What is the client's fault on any server (no cursor, a missing scope) is told
at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

import asyncpg
from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
)

from escrow import bookmarks, database, replica
from escrow.access import Actor, ActorKind
from escrow.errors import InvalidInput
from escrow.queries.feed import BeyondTheEnd
from escrow.replica import Read
from schema.engine.annexed import AtHome
from schema.engine.context import Context

LISTS: Final = frozenset({"accounts", "changes", "contracts", "disputes", "milestones", "stuckOrders"})
"""The fields of `Query` that a standby may answer. What becomes of webhooks is in no log, so nobody could be told to find it."""

OF_THE_CLIENT: Final = frozenset({"BAD_REQUEST", "FORBIDDEN", "QUERY_TOO_COMPLEX", "UNAUTHENTICATED"})
"""Codes of errors that the primary would only repeat."""


AS_OF_NOW: Final = frozenset({"allowedActions", "misfit", "planAfter", "planBefore"})
"""Fields, wherever they stand, that promise what the law says now: by them people decide what to do."""


def only_lists(document: DocumentNode, node: OperationDefinitionNode) -> bool:
    """Whether an operation of a valid document asks for nothing but lists, plainly, without a fragment at its root, and in
    them for nothing that has to be so now.
    """
    asked = _asked(node)
    if node.operation is not OperationType.QUERY or not asked or not asked <= LISTS:
        return False
    return AS_OF_NOW.isdisjoint(_all_asked(document, node))


def _asked(node: OperationDefinitionNode) -> set[str]:
    """The fields at the root; an empty name stands for what is no field."""
    return {one.name.value if isinstance(one, FieldNode) else "" for one in node.selection_set.selections}


def _all_asked(document: DocumentNode, node: OperationDefinitionNode) -> Iterator[str]:
    """The fields on every level, those of fragments once."""
    fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    waiting: list[SelectionSetNode | None] = [node.selection_set]
    while waiting:
        selected = waiting.pop()
        for one in selected.selections if selected is not None else ():
            if isinstance(one, FragmentSpreadNode):
                fragment = fragments.pop(one.name.value, None)
                waiting.append(fragment.selection_set if fragment is not None else None)
            elif isinstance(one, FieldNode):
                yield one.name.value
                waiting.append(one.selection_set)
            elif isinstance(one, InlineFragmentNode):
                waiting.append(one.selection_set)


async def from_standby(
    node: OperationDefinitionNode, context: Context, execute: Callable[[Context], Awaitable[ExecutionResult]]
) -> ExecutionResult | None:
    """What a standby answers to an operation of lists; `None` if there is none that may, or if anything failed there."""
    standby = replica.current()
    if standby is None or context.actor is None:
        return None
    pool = await standby.for_reader(_bookmarks(context.actor))
    if pool is None:
        return None
    there = context.afresh()
    there.budget = budget = AtHome(context.budget) if context.budget is not None else None
    result: ExecutionResult | None = None
    failure: BaseException | None
    try:
        async with asyncio.timeout(replica.LIST_SECONDS):
            with database.using(pool):
                result = await execute(there)
    except replica.FAILURES as error:
        failure = error
    except asyncio.CancelledError:
        _settle(budget)
        raise
    else:
        failure = next((cause for cause in map(_cause, result.errors or ()) if not _is_the_clients(cause)), None)
    if failure is not None:
        standby.reads[Read.FAILED] += 1
        if isinstance(failure, asyncpg.QueryCanceledError):
            await standby.stuck(failure)
        return None
    standby.reads[Read.STANDBY] += 1
    _settle(budget)
    context.listed, context.replayed = there.listed, there.replayed
    return result


def _settle(budget: AtHome | None) -> None:
    """Charge what was found there; what failed there isn't paid for, since the primary finds all of it again."""
    if budget is not None:
        budget.settle()


def _cause(error: GraphQLError) -> BaseException:
    """What it came of; the error itself, if nothing lies below."""
    cause: BaseException = error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    return cause


def _is_the_clients(cause: BaseException) -> bool:
    """Whether every server would say so: it comes of what was asked, or by whom, and not of what is there."""
    if isinstance(cause, GraphQLError):
        code = (cause.extensions or {}).get("code", "BAD_REQUEST")
        return code in OF_THE_CLIENT and not isinstance(cause.__cause__, BeyondTheEnd)
    return isinstance(cause, InvalidInput)


def _bookmarks(actor: Actor) -> tuple[str | None, ...]:
    """Whose writes the reader has to find. Who sees contracts of others is told of them by the log, and so has the log's mark."""
    sees_others = actor.kind is ActorKind.OPERATOR or actor.is_mediator
    return (actor.account_id, bookmarks.THE_LOG) if sees_others else (actor.account_id,)


async def wrote(context: Context) -> None:
    """Note that whoever asked has written something, where a standby might not have it yet."""
    await bookmarks.wrote((context.account_id,))


async def may_have_written(context: Context) -> None:
    """Note that whoever asked went away, or ran out of time, in the middle of it: what was begun may be written all the same."""
    await bookmarks.may_have_written((context.account_id,))
