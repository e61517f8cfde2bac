"""Relays the outbox: gives committed events their positions in the log, as soon as the bell rings or at the next look.

What goes to partners is fanned out in the same transaction, and this process sends at once what endpoints' limits let it send.
"""

from __future__ import annotations

from typing import Final

from escrow import bell, log, meters, process_log
from escrow.bell import Topic, Wakeups
from webhooks.delivery.dispatcher import Dispatcher

POLL_SECONDS: Final = 0.25
"""How late an event gets its position at most when no ring came through."""

_PLACED: Final = meters.Counter("earnest_events_placed", "Events that this process gave their positions")


async def pump(dispatcher: Dispatcher) -> None:
    """Position everything, then wait. Any number of processes may do this at once."""
    with bell.listen(Topic.PENDING) as wakeups:
        while True:
            process_log.begin()
            count = await dispatcher.whole(_place(dispatcher, wakeups))
            if count < log.BATCH_EVENTS:
                await wakeups.wait(POLL_SECONDS)


async def _place(dispatcher: Dispatcher, wakeups: Wakeups) -> int:
    """Position a batch, begin to send what of it is leased to us, and tell the others; answers how many events it was."""
    batch = dispatcher.fan_out()
    count = await batch.place(on_look=wakeups.forget)
    if count:
        _PLACED.add(by=count)
        dispatcher.take(batch)
        # The next batch doesn't wait until Redis has answered.
        bell.ring_beside(Topic.POSITIONED, *((Topic.DELIVERIES,) if batch.is_left_over else ()))
    return count
