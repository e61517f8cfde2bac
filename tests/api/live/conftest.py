"""A served application in this process, with the sequencer beside it and people who talk to it."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.api.live.serving import Served, serve
from tests.patience import PATIENCE_SECONDS


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that stops tells everybody, however long that takes on a busy machine."""
    monkeypatch.setattr("api.live.open_streams.STOP_SECONDS", PATIENCE_SECONDS)


@pytest_asyncio.fixture(loop_scope="session")
async def served(database: str, redis_url: str) -> AsyncIterator[Served]:
    """The application under uvicorn on loopback, on the clean database of the test."""
    async with serve(redis_url) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="session")
async def served_unsequenced(database: str, redis_url: str) -> AsyncIterator[Served]:
    """The same without a sequencer, for tests that move the log themselves."""
    async with serve(redis_url, sequencing=False) as one:
        yield one
