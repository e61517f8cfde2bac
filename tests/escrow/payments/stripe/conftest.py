"""A stand-in for Stripe that does all it is asked, and the adapter beside it. No test may leave a violation behind."""

from collections.abc import AsyncIterator

import pytest_asyncio

from escrow.payments.stripe.adapter import Stripe
from tests.stand_ins.stripe.serving import Playing, playing


@pytest_asyncio.fixture(loop_scope="session")
async def stand_in() -> AsyncIterator[Playing]:
    """The stand-in, served; at the end every request and every answer was as Stripe's description says."""
    async with playing() as one:
        yield one
        assert one.violations == []


@pytest_asyncio.fixture(loop_scope="session")
async def stripe(stand_in: Playing) -> AsyncIterator[Stripe]:
    """The adapter as a worker has it."""
    adapter = Stripe(stand_in.access())
    yield adapter
    await adapter.close()
