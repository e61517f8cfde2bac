"""What a subscriber takes of a process' memory, by what Python says of its objects: a number that no machine changes much."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from tests.api.live.serving import Served
from tests.benchmarks import live

SUBSCRIBERS = 60
BYTES_MAX = 38_000
"""A third of it is its client, in this process too, and the event loop's own transports for both ends; with uvicorn's WebSockets
it is 50,000."""


async def test_a_subscriber_takes_little_memory(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "QUIET_SECONDS", 0.0)
    token = served.people.client.token or ""
    await served.begun()
    # As many once before make what all of them share: how many connections to the database they open at once is chance.
    first, *gone = await live._connect(live._Heard(), served.port, [token], [None] * SUBSCRIBERS)
    await served.readers(SUBSCRIBERS)
    for one in gone:
        one.abort()
    await served.readers(1)
    gc.collect()
    tracemalloc.start()
    try:
        others = await live._connect(live._Heard(), served.port, [token], [None] * SUBSCRIBERS)
        await served.readers(1 + SUBSCRIBERS)
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    for one in (first, *others):
        one.abort()
    await served.nobody()
    assert taken / SUBSCRIBERS < BYTES_MAX, f"{taken / SUBSCRIBERS:.0f} bytes"
