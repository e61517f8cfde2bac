"""The small deployment that the tests on a real database begin with."""

from __future__ import annotations

import pytest_asyncio

from tests.escrow.accounts.world import World


@pytest_asyncio.fixture(loop_scope="session")
async def world(database: str) -> World:
    """The operator, a studio and a shop, on a clean database."""
    assert database
    return await World.make()
