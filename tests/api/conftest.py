"""The application and the people who talk to it, on the clean database of a test."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.api.client import People, door
from tests.patience import PATIENCE_SECONDS


@pytest.fixture(autouse=True)
def answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks whether we are ready, or for figures, waits for the database: on a busy machine it is slow, and not away."""
    for waits in ("api.health.DATABASE_TIMEOUT_SECONDS", "api.metrics.TIMEOUT_SECONDS"):
        monkeypatch.setattr(waits, PATIENCE_SECONDS)


@pytest.fixture
def compiling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Operations are compiled at their second use, also where the tests run with compilation turned off."""
    monkeypatch.setenv("EARNEST_COMPILED", "on")


@pytest_asyncio.fixture(loop_scope="session")
async def people(database: str) -> AsyncIterator[People]:
    """Everybody, each with a key, in front of the door."""
    async with door() as http:
        yield await People.meet(http)
