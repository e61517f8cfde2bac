"""Runs a worker process: every pump is a supervised task, woken by the bell and polling in case a ring is lost.

Any number of these processes may run side by side. They go on while Redis is away and pick up again when PostgreSQL
returns; a signal ends them within a few seconds, and a SIGKILL at any point loses nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Final

from connectors import tending
from escrow import bell, bookmarks, clock, database, terms, vault
from escrow.payments import provider_of
from escrow.payments.provider import Provider
from escrow.settings import SettingError, Settings
from webhooks.delivery.dispatcher import Dispatcher
from workers import cron, deadlines, deliveries, payments, sequencer
from workers.supervision import Pump, supervise

STOP_SECONDS: Final = 5.0
"""How long work that is under way may go on after a signal; what is cut off then is found by the next worker."""

LET_GO_SECONDS: Final = 2.0
"""The same for saying goodbye to the engines."""

Sending = Callable[[Settings], AbstractAsyncContextManager[Dispatcher]]
"""Makes what sends webhooks in this process."""

_log = logging.getLogger(__name__)


async def run(
    settings: Settings | None = None, *, provider: Provider | None = None, sending: Sending = deliveries.sending
) -> None:
    """Work until SIGTERM or SIGINT; settings from the environment and what they name, unless given. Raises `SettingError` where
    the database is none for these settings."""
    settings = settings or Settings.from_environment()
    provider = provider or provider_of(settings)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    work = asyncio.create_task(_work(settings, provider, sending))
    stopped = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        _log.info("worker stops")
        stopped.cancel()
        work.cancel()
        await asyncio.wait({work}, timeout=STOP_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LET_GO_SECONDS):
                await provider.close()
                await bookmarks.disconnect()
                await bell.disconnect()
                await database.disconnect()
    if work.done() and not work.cancelled() and (error := work.exception()) is not None:
        raise _refusal(error) or error


def _refusal(error: BaseException) -> SettingError | None:
    """The setting that was refused, out of the group in which the tasks beside it ended."""
    if isinstance(error, BaseExceptionGroup):
        return next((found for one in error.exceptions if (found := _refusal(one)) is not None), None)
    return error if isinstance(error, SettingError) else None


def pumps(settings: Settings, provider: Provider, dispatcher: Dispatcher) -> dict[str, Pump]:
    """Everything that a worker does, by name."""
    return {
        "sequencer": partial(sequencer.pump, dispatcher),
        **deliveries.pumps(dispatcher),
        "deadlines": deadlines.pump,
        "payments": partial(payments.pump, provider),
        "couplings": tending.pump,
        "cron": partial(cron.loop, settings.redis_url, provider),
    }


async def _work(settings: Settings, provider: Provider, sending: Sending) -> None:
    vault.use(settings.secret_keys)
    terms.use(provider.terms)
    await bell.connect(settings.redis_url)
    if settings.read_url is not None:
        await bookmarks.connect(settings.redis_url)
    async with sending(settings) as dispatcher, asyncio.TaskGroup() as group:
        connected = asyncio.Event()
        group.create_task(supervise("database", partial(_connect, settings, connected)), name="database")
        await connected.wait()
        _log.info("worker works")
        for name, pump in pumps(settings, provider, dispatcher).items():
            group.create_task(supervise(name, pump), name=name)


async def _connect(settings: Settings, connected: asyncio.Event) -> None:
    """Open the pool once PostgreSQL is there; the pool itself replaces the connections that a restart breaks."""
    await database.connect(settings.database_url)
    try:
        await clock.check_real(sandbox=settings.sandbox)
    except BaseException:
        await database.disconnect()  # nothing else of this process works on it, and the next try connects anew
        raise
    connected.set()
    await asyncio.Event().wait()
