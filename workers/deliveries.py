"""Runs what sends webhooks in this process: sending what is due, writing down what came of it, and maintenance.

They share one `Dispatcher`, to which the sequencer of the same process gives what it has just fanned out.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from escrow.settings import Settings
from webhooks.delivery import maintenance
from webhooks.delivery.dispatcher import Dispatcher
from webhooks.request.sender import Sender
from workers import supervision


@asynccontextmanager
async def sending(settings: Settings) -> AsyncIterator[Dispatcher]:
    """The dispatcher of this process, which sends as far as the settings allow; its connections are closed at the end."""
    async with Sender(reach=settings.webhook_reach) as sender:
        yield Dispatcher(sender)


def pumps(dispatcher: Dispatcher) -> dict[str, supervision.Pump]:
    """What runs side by side, by name."""
    return {
        "deliveries": dispatcher.claim_due,
        "completions": dispatcher.hand_back,
        "maintenance": partial(maintenance.look_after, dispatcher.wake),
    }
