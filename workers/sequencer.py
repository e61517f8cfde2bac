"""The sequencer's pump: gives committed events their place in the log as soon as the bell rings, or at the next look."""

from __future__ import annotations

from typing import Final

from escrow import bell, log
from escrow.bell import Topic

POLL_SECONDS: Final = 0.25
"""How late an event gets its position at most when no ring came through."""


async def pump() -> None:
    """Position everything, then wait. Any number of processes may do this at once."""
    with bell.listen(Topic.PENDING) as wakeups:
        while True:
            count = await log.sequence()
            if count:
                await bell.ring(Topic.POSITIONED)
            if count < log.BATCH_EVENTS:
                await wakeups.wait(POLL_SECONDS)
