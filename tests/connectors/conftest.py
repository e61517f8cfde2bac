"""A served Earnest with a sequencer beside it, a contract, and couplings of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.api.live.serving import Served, serve
from tests.connectors.coupled import Couple
from tests.factories import Deal


@pytest_asyncio.fixture(loop_scope="session")
async def served(database: str, redis_url: str) -> AsyncIterator[Served]:
    """The application under uvicorn on loopback, on the clean database of the test."""
    async with serve(redis_url) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="session")
async def deal(served: Served) -> Deal:
    """A contract of three planned milestones."""
    return await served.people.deployment.activate("100.00", "200.00", "300.00")


@pytest_asyncio.fixture(loop_scope="session")
async def couple(served: Served, deal: Deal) -> Couple:
    """Couples the contract with a tool in memory."""
    return Couple(served, deal)
