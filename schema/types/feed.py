"""The types of the sync feed: events in the order of the log, each with the present state of what it touched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import strawberry
from graphql import GraphQLError

from escrow import cursors, log
from escrow.database import Record
from escrow.ids import Kind, is_a
from escrow.queries import feed
from schema.compiled.declare import Selected, batched
from schema.connections import page_size
from schema.engine.context import Context, Info
from schema.engine.fields import read
from schema.scalars import Cursor
from schema.types.contracts import Contract, contract_shown
from schema.types.events import Event
from schema.types.milestones import Milestone, milestone_shown, milestones_shown

LATEST: Final = "latest"
"""Instead of a cursor: from now on."""


async def _touched(
    changes: Sequence[Change], context: Context, *, selected: Selected | None
) -> list[list[Milestone | Record]]:
    """The milestones that each of these changes touched, as they are now."""
    found = await milestones_shown([one for change in changes for one in change.milestone_ids], context, selected)
    return [[found[one] for one in change.milestone_ids if one in found] for change in changes]


@strawberry.type(description="Something that happened, and what it touched, as that is now.")
class Change:
    milestone_ids: strawberry.Private[tuple[str, ...]]

    cursor: Cursor = strawberry.field(description="Its place in the log: `after` for what follows it.")
    event: Event = strawberry.field(description="What happened.")

    @read("The contract that it happened to, as it is now; null for an event of the account itself.")
    async def contract(self, info: Info) -> Contract | None:
        stream = self.event.stream
        return await contract_shown(stream, info) if is_a(Kind.CONTRACT, stream) else None

    @read(
        "The milestones that are not as they were before it, as they are now; also those that moved up or down. One that was "
        "removed, or went with its revision, is CANCELLED; one of an earlier revision than the contract's is of the past."
    )
    @batched(_touched, selects=True)
    async def milestones(self, info: Info) -> list[Milestone]:
        found = [milestone_shown(milestone_id, info) for milestone_id in self.milestone_ids]
        return [milestone for milestone in [await one for one in found] if milestone is not None]

    @classmethod
    def of(cls, view: feed.ChangeView) -> Change:
        return cls(
            milestone_ids=view.milestone_ids,
            cursor=Cursor(cursors.print_cursor(view.position)),
            event=Event.of(view.event, position=view.position),
        )


@strawberry.type(description="Some of the log, in its order.")
class ChangePage:
    nodes: list[Change] = strawberry.field(
        description="What happened, at most `first`; there may be fewer although more follows."
    )
    cursor: Cursor = strawberry.field(
        description="Keep it with what you made of this page: `after` for the next page. It never expires."
    )
    has_more: bool = strawberry.field(description="Whether more is there already: then ask again at once.")


async def changes_listed(context: Context, after: Cursor | None, first: int | None) -> ChangePage:
    """A page of the feed; `latest` answers with the cursor from which to go on alone.

    Raises `GraphQLError` for what is no cursor, and for one that this log doesn't reach.
    """
    size = page_size(first)
    if after == LATEST:
        now = await log.last_position()
        return ChangePage(nodes=[], cursor=Cursor(cursors.print_cursor(now)), has_more=False)
    try:
        start = cursors.read_cursor(after) if after is not None else cursors.BEGINNING
        page = await feed.changes_page(context.known(), after=start, limit=size)
    except (cursors.NotACursor, feed.BeyondTheEnd) as wrong:
        raise GraphQLError(f"{wrong}", extensions={"code": "BAD_REQUEST"}) from None
    return ChangePage(
        nodes=[Change.of(view) for view in page.changes],
        cursor=Cursor(cursors.print_cursor(page.position)),
        has_more=page.has_more,
    )
