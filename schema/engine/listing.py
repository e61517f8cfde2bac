"""Has operations that only list answered by a standby of the database, where there is one that is near enough.

What is asked for by name (one contract, what an identifier stands for, a preview) is always read from the primary: whoever
was told of one thing finds it as it is. Lists and the feed may be some seconds old for what others did, never for what the
viewer did. What the standby can't answer without an error, the primary answers: a cursor that is newer than the standby is
none of the client's faults.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from graphql import ExecutionResult, FieldNode, OperationDefinitionNode, OperationType

from escrow import bookmarks, database, replica
from escrow.access import Actor, ActorKind
from escrow.replica import Read
from schema.engine.context import Context

LISTS: Final = frozenset({"accounts", "changes", "contracts", "disputes", "milestones", "stuckOrders"})
"""The fields of `Query` that a standby may answer. What becomes of webhooks is in no log, so nobody could be told to find it."""


def only_lists(node: OperationDefinitionNode) -> bool:
    """Whether an operation asks for nothing but lists, plainly, without a fragment at its root."""
    asked = _asked(node)
    return node.operation is OperationType.QUERY and bool(asked) and asked <= LISTS


def _asked(node: OperationDefinitionNode) -> set[str]:
    """The fields at the root; an empty name stands for what is no field."""
    return {one.name.value if isinstance(one, FieldNode) else "" for one in node.selection_set.selections}


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
    try:
        with database.using(pool):
            result = await execute(there)
    except replica.FAILURES:
        result = None
    if result is None or result.errors:
        standby.reads[Read.FAILED] += 1
        return None
    standby.reads[Read.STANDBY] += 1
    context.listed, context.replayed = there.listed, there.replayed
    return result


def _bookmarks(actor: Actor) -> tuple[str | None, ...]:
    """Whose writes the reader has to find. Who sees contracts of others is told of them by the log, and so has the log's mark."""
    sees_others = actor.kind is ActorKind.OPERATOR or actor.is_mediator
    return (actor.account_id, bookmarks.THE_LOG) if sees_others else (actor.account_id,)


async def wrote(context: Context) -> None:
    """Note that whoever asked has written something, where a standby might not have it yet."""
    await bookmarks.wrote((context.account_id,))
