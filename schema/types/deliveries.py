"""The types of deliveries of events to webhook endpoints, of the attempts at them, and of replays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import strawberry

from escrow import cursors
from escrow.access import Scope
from escrow.queries.counts import Counted
from schema.connections import After, Before, Connection, First, Last, Total, Window, once, window, windowed
from schema.engine.context import Context, Info
from schema.engine.data_loaders import data_loader
from schema.engine.fields import optional, read
from schema.scalars import Cursor, print_cursor
from schema.types.common import Node
from schema.types.events import Event, event_of
from schema.types.paging import pages_of, place_of
from webhooks.delivery.lanes import Kind, State
from webhooks.owner import queries
from webhooks.owner.queries import Narrowing, Trigger
from webhooks.request.answers import ErrorClass


@strawberry.type(description="One request for one delivery, and what came of it. Milliseconds count from its start.")
class DeliveryAttempt(Node):
    delivery_id: strawberry.ID = strawberry.field(description="The delivery.")
    trigger: Trigger = strawberry.field(description="Why it was made.")
    started_at: datetime = strawberry.field(description="When it began, in real time.")
    status: int | None = strawberry.field(description="The HTTP status of the answer; null if none came.")
    error: ErrorClass | None = strawberry.field(description="Why there is no complete answer; null if there is one.")
    address: str | None = strawberry.field(
        description="The address that it was sent to; null if no connection came about."
    )
    dns_ms: float | None = strawberry.field(
        description="Until the name was resolved; null on a connection that was kept."
    )
    connect_ms: float | None = strawberry.field(
        description="Until the connection was there, TLS included; null on a connection that was kept."
    )
    first_byte_ms: float | None = strawberry.field(description="Until the status and the headers of the answer came.")
    total_ms: float | None = strawberry.field(description="Until it was over; null if its process was lost.")
    answer: str = strawberry.field(
        description="The first 16 KiB of the answer, as UTF-8; bytes that are none stand as U+FFFD."
    )
    is_late: bool = strawberry.field(
        description="Whether its outcome came too late to count: another attempt had taken its place."
    )

    @classmethod
    def of(cls, view: queries.AttemptView) -> DeliveryAttempt:
        return cls(
            id=strawberry.ID(view.id),
            delivery_id=strawberry.ID(view.delivery_id),
            trigger=view.trigger,
            started_at=view.started_at,
            status=view.status,
            error=view.error,
            address=view.address,
            dns_ms=view.dns_ms,
            connect_ms=view.connect_ms,
            first_byte_ms=view.first_byte_ms,
            total_ms=view.total_ms,
            answer=view.answer.decode(errors="replace"),
            is_late=view.is_late,
        )


@strawberry.type(description="One event on its way to one endpoint.")
class Delivery(Node):
    endpoint_id: strawberry.ID = strawberry.field(description="The endpoint.")
    event_id: strawberry.ID = strawberry.field(
        description="The event: the `webhook-id` of each request. A test's is in no log."
    )
    event_type: str = strawberry.field(description="What happened: `milestone.released`.")
    stream: strawberry.ID = strawberry.field(description="The contract or the account that the event belongs to.")
    cursor: Cursor | None = strawberry.field(
        description="The event's place in the log, as its payload carries it; null for a test."
    )
    kind: Kind = strawberry.field(description="Why there is a delivery.")
    state: State = strawberry.field(description="How it stands.")
    created_at: datetime = strawberry.field(description="When it was made, in real time.")
    finished_at: datetime | None = strawberry.field(description="When its state became final.")
    next_attempt_at: datetime | None = strawberry.field(
        description="When it is attempted next. Null while it is attempted, while it waits behind an earlier event of the same "
        "contract or for its endpoint to be enabled, and once it is final."
    )

    @read("What was tried so far, in order.", scope=Scope.WEBHOOKS_MANAGE)
    async def attempts(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[DeliveryAttempt]:
        return await attempts_of(self.id, info.context, window(first, after, last, before))

    @read("The event itself; null for a test, and if it may not be seen.")
    async def event(self, info: Info) -> Event | None:
        return await event_of(self.event_id, info.context)

    @classmethod
    def of(cls, view: queries.DeliveryView) -> Delivery:
        return cls(
            id=strawberry.ID(view.id),
            endpoint_id=strawberry.ID(view.endpoint_id),
            event_id=strawberry.ID(view.event_id),
            event_type=view.event_type,
            stream=strawberry.ID(view.stream_id),
            cursor=Cursor(cursors.print_cursor(view.position)) if view.position is not None else None,
            kind=view.kind,
            state=view.state,
            created_at=view.created_at,
            finished_at=view.finished_at,
            next_attempt_at=view.next_attempt_at,
        )


@strawberry.type(
    description="A stretch of the log that an endpoint gets once more, a few events a second, each marked as a replay."
)
class WebhookReplay(Node):
    endpoint_id: strawberry.ID = strawberry.field(description="The endpoint.")
    after: Cursor = strawberry.field(description="It begins after this place in the log.")
    until: Cursor = strawberry.field(description="It ends with this place, which was the last when it was asked for.")
    looked_until: Cursor = strawberry.field(description="How far it came.")
    deliveries: int = strawberry.field(description="How many deliveries it made so far.")
    is_over: bool = strawberry.field(description="Whether it made all of them; they may still wait to be attempted.")
    created_at: datetime = strawberry.field(description="When it was asked for, in real time.")

    @classmethod
    def of(cls, view: queries.ReplayView) -> WebhookReplay:
        return cls(
            id=strawberry.ID(view.id),
            endpoint_id=strawberry.ID(view.endpoint_id),
            after=Cursor(cursors.print_cursor(view.after_position)),
            until=Cursor(cursors.print_cursor(view.until_position)),
            looked_until=Cursor(cursors.print_cursor(view.looked_until_position)),
            deliveries=view.deliveries,
            is_over=view.is_over,
            created_at=view.created_at,
        )


@strawberry.input(description="Which deliveries to list. What is null doesn't narrow.")
class DeliveryFilter:
    endpoint_id: strawberry.ID | None = optional("Only those to this endpoint. The operator may name anybody's.")
    state: list[State] | None = optional("Only those in one of these states.")
    event_type: list[str] | None = optional("Only those of events of these types: `milestone.released`.")
    event_id: strawberry.ID | None = optional("Only those of this event.")
    contract_id: strawberry.ID | None = optional("Only those of this contract's events.")
    created_after: datetime | None = optional("Only those made at this moment or later, in real time.")
    created_before: datetime | None = optional("Only those made before this moment, in real time.")


async def deliveries_list(wanted: DeliveryFilter, context: Context, window: Window) -> Connection[Delivery]:
    """A page of what the filter lets through, newest first; one statement.

    The look for rare ones may end before the page is full, though more may follow.
    """
    actor = context.reader(Scope.WEBHOOKS_MANAGE)
    narrowing = Narrowing(
        endpoint_id=wanted.endpoint_id,
        states=wanted.state,
        event_types=wanted.event_type,
        event_id=wanted.event_id,
        contract_id=wanted.contract_id,
        created_after=wanted.created_after,
        created_before=wanted.created_before,
    )
    page = await queries.deliveries_page(
        actor, narrowing, limit=window.size + 1, after=place_of(window.place, "deliveries"), backwards=window.backwards
    )
    end = print_cursor("deliveries", page.looked_until) if page.looked_until is not None else None
    shown = [(Delivery.of(view), print_cursor("deliveries", view.id)) for view in page.found]
    return windowed(shown, window, once(lambda: queries.deliveries_counted(actor, narrowing)), looked_until=end)


@data_loader
async def attempts_of(delivery_ids: Sequence[str], _: Context, window: Window) -> list[Connection[DeliveryAttempt]]:
    """A page of the attempts at each delivery: one statement for all that are asked for."""
    return await pages_of(
        queries.ATTEMPTS, DeliveryAttempt.of, delivery_ids, "delivery_id", order="attempts", window=window
    )


@data_loader
async def deliveries_of(event_ids: Sequence[str], context: Context, window: Window) -> list[Connection[Delivery]]:
    """A page of where each event went, to the viewer's own endpoints: one statement for all that are asked for."""
    found = await queries.deliveries_of_events(
        context.known(),
        event_ids,
        limit=window.size + 1,
        after=place_of(window.place, "eventDeliveries"),
        backwards=window.backwards,
    )
    return [
        windowed(
            [(Delivery.of(view), print_cursor("eventDeliveries", view.id)) for view in found.get(event_id, ())],
            window,
            _total_of(event_id),
        )
        for event_id in event_ids
    ]


def _total_of(event_id: str) -> Total:
    """Counts where an event went, together with its like."""
    return lambda context: _totals(event_id, context)


@data_loader
async def _totals(event_ids: Sequence[str], context: Context) -> list[Counted]:
    found = await queries.deliveries_of_events_counted(context.known(), event_ids)
    return [found[one] for one in event_ids]


@data_loader
async def delivery_of(delivery_ids: Sequence[str], context: Context) -> list[Delivery | None]:
    """Deliveries by identifier, as far as the viewer may see them: one statement for all that are asked for."""
    found = await queries.deliveries_by_id(context.known(), delivery_ids)
    return [Delivery.of(found[one]) if one in found else None for one in delivery_ids]


@data_loader
async def attempt_of(attempt_ids: Sequence[str], context: Context) -> list[DeliveryAttempt | None]:
    """Attempts by identifier, as far as the viewer may see them: one statement for all that are asked for."""
    found = await queries.attempts_by_id(context.known(), attempt_ids)
    return [DeliveryAttempt.of(found[one]) if one in found else None for one in attempt_ids]


@data_loader
async def replay_of(replay_ids: Sequence[str], context: Context) -> list[WebhookReplay | None]:
    """Replays by identifier, as far as the viewer may see them: one statement for all that are asked for."""
    found = await queries.replays_by_id(context.known(), replay_ids)
    return [WebhookReplay.of(found[one]) if one in found else None for one in replay_ids]
