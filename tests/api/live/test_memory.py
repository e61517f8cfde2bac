"""What a subscriber takes of a process' memory, by what Python says of its objects: a number that no machine changes much."""

from __future__ import annotations

import gc
import tracemalloc

from tests.api.live.serving import Served
from tests.benchmarks.listeners import listeners

SUBSCRIBERS = 60
BYTES_MAX = 27_000
"""The event loop's own transport is a part of it."""


async def test_a_subscriber_takes_little_memory(served: Served) -> None:
    token = served.people.client.token or ""
    await served.begun()
    async with listeners() as those:
        # As many make what all of them share: how many connections to the database they open at once is chance.
        await those.subscribe(served.port, [token], [None] * SUBSCRIBERS)
        await served.readers(SUBSCRIBERS)
        gc.collect()
        tracemalloc.start()
        try:
            await those.subscribe(served.port, [token], [None] * SUBSCRIBERS)
            await served.readers(2 * SUBSCRIBERS)
            gc.collect()
            taken, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    await served.nobody()
    assert taken / SUBSCRIBERS < BYTES_MAX, f"{taken / SUBSCRIBERS:.0f} bytes"
