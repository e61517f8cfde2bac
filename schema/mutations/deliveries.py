"""Mutations on deliveries: sending one again, replaying a stretch of the log, sending a test event."""

from __future__ import annotations

from datetime import datetime

import strawberry

from escrow import cursors
from escrow.cursors import NotACursor
from escrow.errors import InvalidInput
from schema.engine.fields import after, optional
from schema.mutations.running import Call, Payload, mutation
from schema.scalars import Cursor
from schema.types.deliveries import Delivery, WebhookReplay
from webhooks.events.unlogged import EndpointTest
from webhooks.owner import operations


@strawberry.type(description="The delivery that was asked for.")
class DeliveryPayload(Payload):
    delivery: Delivery | None = after("The delivery")


@strawberry.type(description="The replay that was asked for.")
class ReplayEventsPayload(Payload):
    replay: WebhookReplay | None = optional(
        "The replay; `node` tells how far it came. Null if the mutation was refused."
    )


@strawberry.input(description="Which delivery to make once more.")
class RedeliverInput:
    delivery_id: strawberry.ID = strawberry.field(description="The delivery.")


@mutation(
    "Delivers an event once more, with the same `webhook-id`: a new delivery for one that is final; one that still waits "
    "is attempted at once. For managers with the scope `webhooks:manage` and the operator."
)
async def redeliver(call: Call, given: RedeliverInput) -> DeliveryPayload:
    view, call.replayed = await operations.redeliver(given.delivery_id, by=call.actor, idempotency=call.idempotency)
    return DeliveryPayload(delivery=Delivery.of(view))


@strawberry.input(description="Which stretch of the log to deliver once more. Give one of `after` and `since`.")
class ReplayEventsInput:
    endpoint_id: strawberry.ID = strawberry.field(description="The endpoint.")
    after: Cursor | None = optional("What comes after this place in the log, as `data.cursor` of a request tells it.")
    since: datetime | None = optional("What occurred at this moment or later.")


@mutation(
    "Delivers what is in the log from a place or a time on up to now once more, as far as the endpoint's filter of today lets it "
    "through: in order per contract, marked as a replay, at most 25 events a second, beside what happens meanwhile. For "
    "managers with the scope `webhooks:manage` and the operator."
)
async def replay_events(call: Call, given: ReplayEventsInput) -> ReplayEventsPayload:
    view, call.replayed = await operations.replay_events(
        given.endpoint_id,
        after=_position(given.after),
        since=given.since,
        by=call.actor,
        idempotency=call.idempotency,
    )
    return ReplayEventsPayload(replay=WebhookReplay.of(view))


@strawberry.input(description="Which endpoint to test.")
class SendTestEventInput:
    endpoint_id: strawberry.ID = strawberry.field(description="The endpoint.")
    event_type: str = strawberry.field(
        default=EndpointTest.type,
        description="The type whose example is sent: any of `eventTypes`, whatever the endpoint's filter says.",
    )


@mutation(
    "Sends an event that never happened: signed, retried and listed like any other, marked with `test`, and in no log. For "
    "managers with the scope `webhooks:manage` and the operator."
)
async def send_test_event(call: Call, given: SendTestEventInput) -> DeliveryPayload:
    view, call.replayed = await operations.send_test_event(
        given.endpoint_id, event_type=given.event_type, by=call.actor, idempotency=call.idempotency
    )
    return DeliveryPayload(delivery=Delivery.of(view))


def _position(cursor: Cursor | None) -> int | None:
    try:
        return cursors.read_cursor(cursor) if cursor is not None else None
    except NotACursor as error:
        raise InvalidInput(str(error), field="after") from None
