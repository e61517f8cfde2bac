"""The types of the sync feed: events in the order of the log, each with the present state of what it touched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

import strawberry
from graphql import GraphQLError

from escrow import cursors, cuts, log
from escrow.access import Actor
from escrow.database import Record
from escrow.ids import Kind, is_a
from escrow.queries import feed
from escrow.queries.reading import Reading
from schema.compiled.declare import Projection, Ready, Selected, batched, project
from schema.connections import page_size
from schema.engine.context import Context, Info
from schema.engine.fields import read
from schema.scalars import Cursor
from schema.types.contracts import Contract, contract_shown, contracts_found
from schema.types.events import Event, event_rows
from schema.types.milestones import Milestone, milestone_shown, milestones_shown

LATEST: Final = "latest"
"""Instead of a cursor: from now on."""


async def _touched(
    changes: Sequence[Change | Record], context: Context, *, selected: Selected | None
) -> list[list[Milestone | Record]]:
    """The milestones that each of these changes touched, as they are now."""
    touched = [one["touched"] if isinstance(one, Record) else one.milestone_ids for one in changes]
    found = await milestones_shown([one for ids in touched for one in ids], context, selected)
    return [[found[one] for one in ids if one in found] for ids in touched]


async def _contracts(
    changes: Sequence[Change | Record], context: Context, *, selected: Selected | None
) -> list[Contract | Record | None]:
    """The contracts that these changes happened to, as they are now."""
    streams = [one["stream_id"] if isinstance(one, Record) else one.stream_id for one in changes]
    found = await contracts_found([one for one in streams if is_a(Kind.CONTRACT, one)], context, selected)
    return [found.get(one) for one in streams]


@strawberry.type(description="Something that happened, and what it touched, as that is now.")
class Change:
    stream_id: strawberry.Private[str]
    milestone_ids: strawberry.Private[tuple[str, ...]]

    cursor: Cursor = strawberry.field(description="Its place in the log: `after` for what follows it.")
    event: Event = strawberry.field(description="What happened.")

    @property
    def is_of_contract(self) -> bool:
        return is_a(Kind.CONTRACT, self.stream_id)

    @read("The contract that it happened to, as it is now; null for an event of the account itself.")
    @batched(_contracts, selects=True)
    async def contract(self, info: Info) -> Contract | None:
        return await contract_shown(self.stream_id, info) if self.is_of_contract else None

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
        """The change ready to read."""
        return cls(
            stream_id=view.stream_id,
            milestone_ids=view.milestone_ids,
            cursor=Cursor(cursors.print_cursor(view.position)),
            event=Event.of(view.event, position=view.position),
        )


project(
    Change,
    Projection(
        rows=(Record,),
        fields={"cursor": Ready('print_cursor(row["position"])'), "event": "row"},
        names={"print_cursor": cursors.print_cursor},
        batches=frozenset({"contract", "milestones"}),
    ),
)


def _rows(selected: Selected | None) -> Reading[Record] | None:
    """How rows are read that may stand for changes, and each for its event, too; `None` if whole ones are wanted."""
    if selected is None:
        return None
    return event_rows(selected.below_field("event") if "event" in selected.fields else NOTHING)


NOTHING: Final = Selected("Event", frozenset())
"""Of changes nobody may want to know the event."""


@strawberry.type(description="Some of the log, in its order.")
class ChangePage:
    nodes: list[Change] = strawberry.field(
        description="What happened, at most `first`; there may be fewer although more follows."
    )
    cursor: Cursor = strawberry.field(
        description="Keep it with what you made of this page: `after` for the next page. It never expires."
    )
    has_more: bool = strawberry.field(description="Whether more is there already: then ask again at once.")


async def changes_listed(
    context: Context, after: Cursor | None, first: int | None, selected: Selected | None
) -> ChangePage:
    """A page of the feed, of rows if those have all that is selected; `latest` answers with the cursor from which to go on
    alone.

    Raises `GraphQLError` for what is no cursor, for one that this log doesn't reach, and for one that was cut off.
    """
    size = page_size(first)
    if after == LATEST:
        now = await log.last_position()
        return ChangePage(nodes=[], cursor=Cursor(cursors.print_cursor(now)), has_more=False)
    try:
        start = cursors.read_cursor(after) if after is not None else cursors.BEGINNING
        page = await _page(context.known(), start, size, _rows(selected))
    except cursors.NotACursor as wrong:
        raise GraphQLError(f"{wrong}", extensions={"code": "BAD_REQUEST"}) from None
    except feed.BeyondTheEnd as beyond:  # which another server's log may have: the error says so
        raise GraphQLError(f"{beyond}", extensions={"code": "BAD_REQUEST"}) from beyond
    except cuts.LogWasCut as cut:
        raise log_was_cut(cut) from None
    return ChangePage(
        nodes=page.changes,
        cursor=Cursor(cursors.print_cursor(page.position)),
        has_more=page.has_more,
    )


def log_was_cut(cut: cuts.LogWasCut) -> GraphQLError:
    """The answer to a cursor that stands for nothing any more, with the last one that still does."""
    return GraphQLError(f"{cut}", extensions={"code": "LOG_CUT", "keptCursor": cut.kept})


async def _page(actor: Actor, after: int, limit: int, rows: Reading[Record] | None) -> feed.ChangesPage[Change]:
    if rows is not None:
        found = await feed.changes_page(actor, after=after, limit=limit, reading=rows)
        return cast("feed.ChangesPage[Change]", found)
    whole = await feed.changes_page(actor, after=after, limit=limit)
    return feed.ChangesPage([Change.of(view) for view in whole.changes], whole.position, whole.has_more)
