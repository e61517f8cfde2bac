"""The mutation that advances the test clock of a sandbox."""

from __future__ import annotations

from datetime import datetime, timedelta

import strawberry

from escrow import testclock
from schema.engine.context import Info
from schema.engine.fields import after, optional, resolved
from schema.mutations.running import Call, Payload, mutation
from schema.types.events import Event, event_of


@strawberry.type(description="How far the test clock came, and what happened on the way.")
class AdvanceTestClockPayload(Payload):
    event_ids: strawberry.Private[tuple[str, ...] | None] = None

    to: datetime | None = after("Where it was sent")
    reached_at: datetime | None = after("The time that it now is for contracts")
    has_more: bool | None = optional(
        "Whether there was more on the way than one call does. Call again with this `to` to go on. Null if refused."
    )

    @resolved("What the clock brought about, in the order of its happening; null if the mutation was refused.")
    async def events(self, info: Info) -> list[Event] | None:
        if self.event_ids is None:
            return None
        found = [await one for one in [event_of(event_id, info.context) for event_id in self.event_ids]]
        return [event for event in found if event is not None]


@strawberry.input(description="How far the test clock goes: `by` or `to`, one of them.")
class AdvanceTestClockInput:
    by: timedelta | None = optional("How much time passes: `P14D`, or seconds.")
    to: datetime | None = optional("Until when; a time that has come already is no error. At most ten years ahead.")


@mutation(
    "Moves the time of a sandbox forward, for all contracts, and lets everything happen that falls due on the way, each at "
    "its own due time. At most 200 deadlines a call. Time never goes back. For the operator; only a sandbox has it."
)
async def advance_test_clock(call: Call, given: AdvanceTestClockInput) -> AdvanceTestClockPayload:
    advanced = await testclock.advance(
        by=call.actor, sandbox=call.context.sandbox, span=given.by, to=given.to, idempotency=call.idempotency
    )
    call.replayed = advanced.replayed
    return AdvanceTestClockPayload(
        event_ids=advanced.event_ids, to=advanced.to, reached_at=advanced.reached_at, has_more=advanced.has_more
    )
