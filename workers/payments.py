"""Carries out due orders to the payment provider, several at once, and hears the provider's notices."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from typing import Final

from escrow import bell, process_log, spans, terms, traces
from escrow.bell import Topic
from escrow.payments import lost, orders, payees, tokens_at_rest
from escrow.payments.calls import CALL_SECONDS_MAX
from escrow.payments.orders import Claimed
from escrow.payments.own_account import AnotherAccount
from escrow.payments.provider import Provider
from escrow.payments.results import ProviderError
from escrow.payments.watched import Watched
from escrow.spans import Kind

POLL_SECONDS: Final = 0.25
"""How late a due order is noticed at most when no ring came through."""

ORDERS_AT_ONCE: Final = 16
"""Orders under way in one process: enough that some slow answers hold up nobody, few enough for the pool."""

PAYEES_AT_ONCE: Final = 4

STOP_SECONDS: Final = 3.0
"""What is under way may end for so long when the pump stops; what is cut off is looked up by the next one."""

PAUSE_SECONDS: Final = 1.0
"""After a cut, so long after the provider didn't tell its books they are asked for again; each next time twice as long, up to
`PAUSE_SECONDS_MAX`."""

PAUSE_SECONDS_MAX: Final = 60.0

_log = logging.getLogger(__name__)


async def pump(provider: Provider) -> None:
    """Carry out orders as they become due. Any number of processes may do this at once."""
    await tokens_at_rest.seal_what_is_open()
    under_way: set[asyncio.Task[None]] = set()
    books, account = Books(provider), OwnAccount(provider)
    with bell.listen(Topic.ORDERS) as wakeups:
        looks = PayeeLooks(provider, wakeups.wake)

        def finished(task: asyncio.Task[None]) -> None:
            under_way.discard(task)
            wakeups.wake()

        try:
            while True:
                if not await account.is_settled():
                    await wakeups.wait(POLL_SECONDS)
                    continue
                hints = await provider.notices()
                await orders.nudge(hints)
                await payees.nudge(hints)
                looks.go_on()
                await books.read()
                claimed = await orders.claim(
                    ORDERS_AT_ONCE - len(under_way),
                    provider=provider.terms.provider,
                    payees_of=provider.terms.provider if provider.terms.needs_payees else None,
                )
                for order in claimed:
                    task = asyncio.create_task(_attend(order, provider), name=order.id)
                    under_way.add(task)
                    task.add_done_callback(finished)
                await wakeups.wait(POLL_SECONDS)
        finally:
            await asyncio.gather(looks.end(), _end(under_way))


class PayeeLooks:
    """Looks at payees that are due beside all that is carried out: a provider that is slow to tell of them holds up no order."""

    def __init__(self, provider: Provider, found_some: Callable[[], None]) -> None:
        self._provider = provider
        self._found_some = found_some
        self._under_way: asyncio.Task[None] | None = None

    def go_on(self) -> None:
        """Begin a look unless one is under way. Raises what the last one raised."""
        if self._under_way is not None:
            if not self._under_way.done():
                return
            self._under_way.result()
        self._under_way = asyncio.create_task(self._look(), name="payees")

    async def end(self) -> None:
        """Cut off what is under way; the payees come again."""
        if self._under_way is not None:
            self._under_way.cancel()
            await asyncio.gather(self._under_way, return_exceptions=True)

    async def _look(self) -> None:
        if await payees.look(self._provider, limit=PAYEES_AT_ONCE):
            self._found_some()  # there may be more, and orders that waited for them


class OwnAccount:
    """Whose money the provider moves for the key; nothing is claimed before that is known, or while it is another account's."""

    def __init__(self, provider: Provider, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._provider = provider
        self._clock = clock
        self._is_settled = not isinstance(provider, Watched)
        self._again_at = -math.inf

    async def is_settled(self) -> bool:
        """Asks until it is, now and then."""
        if self._is_settled or self._clock() < self._again_at:
            return self._is_settled
        assert isinstance(self._provider, Watched)  # noqa: S101 - for the type checker: every other is settled
        try:
            async with asyncio.timeout(CALL_SECONDS_MAX):
                await self._provider.settle()
        except AnotherAccount as error:
            _log.error("no money moves: the provider's account is another one", extra={"error": error})
            self._again_at = self._clock() + PAUSE_SECONDS_MAX
        except (ProviderError, TimeoutError) as error:
            _log.warning("the provider doesn't tell its account yet", extra={"error": error})
            self._again_at = self._clock() + PAUSE_SECONDS
        else:
            terms.use(self._provider.terms)
            self._is_settled = True
        return self._is_settled


class Books:
    """The provider's books, which are read after a cut of the log; nothing is claimed before that is done."""

    def __init__(self, provider: Provider, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._provider = provider
        self._clock = clock
        self._pause = PAUSE_SECONDS
        self._again_at = -math.inf

    async def read(self) -> None:
        """If that is to be done, and the provider wasn't asked in vain just now."""
        if self._clock() < self._again_at:
            return
        try:
            await lost.read_books(self._provider)
            self._pause = PAUSE_SECONDS
        except ProviderError as error:
            extra = {"error": error, "again_seconds": self._pause}
            _log.warning("the log was cut, and the provider doesn't tell its books yet", extra=extra)
            self._again_at = self._clock() + self._pause
            self._pause = min(2 * self._pause, PAUSE_SECONDS_MAX)


async def _attend(order: Claimed, provider: Provider) -> None:
    process_log.begin(traces.read(order.trace), order=order.id)
    with spans.span(f"order {order.kind}", Kind.CONSUMER, earnest_order=order.id) as span:
        try:
            if not await orders.attend(order, provider):
                _log.warning("lease lost, another worker has the order")
        except Exception as error:  # noqa: BLE001 - one order must not end the pump
            # The order couldn't be handed back; its lease ends by itself.
            span.failed(type(error).__name__)
            _log.warning("order not handed back", extra={"error": error})


async def _end(under_way: set[asyncio.Task[None]]) -> None:
    tasks = set(under_way)
    if tasks:
        await asyncio.wait(tasks, timeout=STOP_SECONDS)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
