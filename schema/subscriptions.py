"""Defines the subscriptions: each names the source that it reads from, and every answer is executed as a query would be.

A field's annotation is the type of one answer, from which the schema is made; what it hands over is a source stream.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from difflib import get_close_matches
from typing import Annotated, Final, cast

import strawberry
from graphql import GraphQLError

from escrow import cursors, cuts, ids, log
from escrow.access import Scope
from escrow.errors import quoted
from escrow.ids import Kind
from escrow.live.reader import Reader
from schema.engine.context import Context, Info, Live
from schema.engine.delivery_sources import DeliverySource
from schema.engine.fields import subscribed
from schema.engine.log_sources import ChangeSource, ContractSource, EventSource, MilestoneSource
from schema.scalars import Cursor
from schema.types.contracts import Contract, contract_found
from schema.types.deliveries import Delivery
from schema.types.endpoints import endpoint_of
from schema.types.events import Event
from schema.types.feed import Change, log_was_cut
from schema.types.milestones import Milestone

LATEST: Final = "latest"
"""Instead of a cursor: from now on."""

TYPES: Final = frozenset(kind for kind, _ in log.CATALOGUE)

After = Annotated[
    Cursor | None,
    strawberry.argument(
        description="The cursor of the last event that you have: what came after it is replayed first. From now on if it is "
        "`latest` or null."
    ),
]
OnlyContract = Annotated[strawberry.ID | None, strawberry.argument(description="Only events of this contract.")]
OnlyTypes = Annotated[
    list[str] | None, strawberry.argument(description="Only events of these types, such as `milestone.released`.")
]
ContractId = Annotated[strawberry.ID, strawberry.argument(description="The contract.")]


@strawberry.type(
    description="What can be listened to, over a WebSocket or as server-sent events. Streams end with a code when the key ends, "
    "and when a reader falls too far behind; `events` resumes from a cursor."
)
class Subscription:
    @subscribed(
        "The events that the viewer may see, in the order of the log, each once. Take `cursor` with each: a stream that is "
        "opened again with the last one as `after` goes on without a gap."
    )
    async def events(
        self, info: Info, after: After = None, contract_id: OnlyContract = None, types: OnlyTypes = None
    ) -> AsyncGenerator[Event, None]:
        reader = await _of_log(info.context, after, contract_id, types)
        return cast("AsyncGenerator[Event, None]", EventSource(reader))

    @subscribed(
        "What `events` tells, each with what it touched, as that is by then: the sync feed as it happens, so that a screen shows "
        "what has changed without asking for it. It resumes by `cursor`, too."
    )
    async def changes(
        self, info: Info, after: After = None, contract_id: OnlyContract = None, types: OnlyTypes = None
    ) -> AsyncGenerator[Change, None]:
        reader = await _of_log(info.context, after, contract_id, types)
        return cast("AsyncGenerator[Change, None]", ChangeSource(reader))

    @subscribed("A contract, whenever something has happened to it, as it is then. What happens at once is told once.")
    async def contract_updated(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The contract.")],  # noqa: A002
    ) -> AsyncGenerator[Contract, None]:
        return cast("AsyncGenerator[Contract, None]", ContractSource(await _of_contract(id, info.context)))

    @subscribed(
        "Each milestone of a contract that is not as it was, as it is then; also those that moved up or down. What happens at "
        "once is told once."
    )
    async def milestone_updated(self, info: Info, contract_id: ContractId) -> AsyncGenerator[Milestone, None]:
        source = MilestoneSource(await _of_contract(contract_id, info.context))
        return cast("AsyncGenerator[Milestone, None]", source)

    @subscribed(
        "A delivery of a webhook endpoint, whenever it is not as it was: made, attempted, delivered or given up. Up to a second "
        "later."
    )
    async def delivery_updated(
        self, info: Info, endpoint_id: Annotated[strawberry.ID, strawberry.argument(description="The endpoint.")]
    ) -> AsyncGenerator[Delivery, None]:
        context: Context = info.context
        context.reader(Scope.WEBHOOKS_MANAGE)
        live = _live(context)
        if not ids.is_a(Kind.ENDPOINT, endpoint_id) or await endpoint_of(endpoint_id, context) is None:
            raise GraphQLError("There is no such endpoint for you.", extensions={"code": "NOT_FOUND"})
        source = DeliverySource(await live.deliveries.watch(endpoint_id), live.viewer)
        return cast("AsyncGenerator[Delivery, None]", source)


async def _of_log(context: Context, after: str | None, contract_id: str | None, types: list[str] | None) -> Reader:
    """A reader of what happened after a cursor, and goes on happening."""
    context.reader(Scope.CONTRACTS_READ)
    live = _live(context)
    kinds = _types(types)
    if contract_id is not None:
        await _seen(contract_id, context)
    position = await _position(live.resume_after or after)
    return Reader(live.hub, live.viewer, after=position, stream_id=contract_id, types=kinds)


async def _of_contract(contract_id: str, context: Context) -> Reader:
    """A reader of what happens to this contract from now on."""
    context.reader(Scope.CONTRACTS_READ)
    live = _live(context)
    position = await log.last_position()
    await _seen(contract_id, context)
    return Reader(live.hub, live.viewer, after=position, stream_id=contract_id)


def _live(context: Context) -> Live:
    if context.live is None:
        raise _refused("Subscriptions are answered over a WebSocket or as text/event-stream.")
    return context.live


async def _seen(contract_id: str, context: Context) -> None:
    if not ids.is_a(Kind.CONTRACT, contract_id) or await contract_found(contract_id, context) is None:
        raise GraphQLError("There is no such contract for you.", extensions={"code": "NOT_FOUND"})


async def _position(after: str | None) -> int:
    """The position to read on from. Refuses what is no cursor, one that was cut off, and one that the log has not reached."""
    last = await log.last_position()
    if after is None or after == LATEST:
        return last
    try:
        position = cursors.read_cursor(after)
    except cursors.NotACursor as error:
        raise _refused(f"{error} “{LATEST}” starts from now.") from None
    try:
        await cuts.check(position)
    except cuts.LogWasCut as cut:
        raise log_was_cut(cut) from None
    if position > last:
        raise _refused(f"The log has not reached {after} yet; its last cursor is {cursors.print_cursor(last)}.")
    return position


def _types(types: list[str] | None) -> frozenset[str] | None:
    if types is None:
        return None
    if not types:
        raise _refused("`types` is empty, so no event would ever come; leave it out for all of them.")
    unknown = [kind for kind in types if kind not in TYPES]
    if unknown:
        near = get_close_matches(unknown[0][:60], TYPES, n=1)
        raise _refused(
            f"There is no event of the type {quoted(unknown[0])}"
            + (f"; did you mean “{near[0]}”?" if near else "; a type is written as “milestone.released” is.")
        )
    return frozenset(types)


def _refused(message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": "BAD_REQUEST"})
