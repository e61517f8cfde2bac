"""What a subscriber takes of a process' memory, by what Python says of its objects: a number that no machine changes much."""

from __future__ import annotations

import gc
import tracemalloc

from escrow.accounts.known_keys import KnownKeys
from escrow.live.hub import Hub
from tests.api.live.serving import Served, serve
from tests.benchmarks.listeners import Listeners, listeners

SUBSCRIBERS = 60
BYTES_MAX = 27_000
"""The event loop's own transport is a part of it."""


async def test_a_subscriber_takes_little_memory(database: str, redis_url: str) -> None:
    """Nobody else asks the database meanwhile: a connection more to it would be counted as theirs."""
    hub = Hub(poll_seconds=3_600.0, look_seconds=3_600.0)
    async with serve(redis_url, hub=hub, sequencing=False) as served, listeners() as those:
        # However slow the database is, a key is known from when it is shown until its stream begins, and read once for both.
        served.door.authentication.keys = KnownKeys(term_seconds=3_600.0)
        await _come(those, served)  # as many make what all of them share
        gc.collect()
        tracemalloc.start()
        try:
            await _come(those, served)
            gc.collect()
            taken, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert taken / SUBSCRIBERS < BYTES_MAX, f"{taken / SUBSCRIBERS:.0f} bytes"


async def _come(those: Listeners, served: Served) -> None:
    """So many more, one after the other: how many connections to the database they would open at once is chance."""
    for _ in range(SUBSCRIBERS):
        count = served.door.hub.readers
        await those.subscribe(served.port, [served.people.client.token or ""], [None])
        await served.readers(count + 1)
