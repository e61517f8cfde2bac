"""The answer to a source event that several streams of a group wait for: made once, told to each of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

ANSWERS_KEPT_SECONDS: Final = 10.0
"""How long an answer is kept for those who come later: words may be erased meanwhile."""

TOLD_AT_ONCE: Final = 100
"""Streams that are told of an answer before the event loop looks at everything else, and sends what was written so far."""


class SharedAnswer:
    """An answer that several wait for. Whoever leaves in the middle of it takes nothing from the others."""

    def __init__(self, work: Awaitable[bytes | None]) -> None:
        self._made_at = time.monotonic()
        self._work = asyncio.ensure_future(work)
        self._work.add_done_callback(self._tell)
        self._waiting: list[Callable[[], None]] = []

    @property
    def is_fresh(self) -> bool:
        """Whether it may still be given to somebody else."""
        return time.monotonic() - self._made_at < ANSWERS_KEPT_SECONDS

    @property
    def is_there(self) -> bool:
        """Whether `json` tells it by now."""
        return self._work.done()

    @property
    def json(self) -> bytes | None:
        """The answer, which is there; raises what went wrong with it."""
        return self._work.result()

    def give_up(self) -> None:
        """Nobody waits for it any more."""
        self._work.cancel()

    def tell(self, on_arrival: Callable[[], None]) -> None:
        """Call it once the answer is there; it must not raise."""
        self._waiting.append(on_arrival)

    async def arrived(self) -> bytes | None:
        """The answer, as soon as it is there."""
        if not self.is_there:
            # A future of its own costs a tenth of a shield around the work.
            waiter = asyncio.get_running_loop().create_future()
            self.tell(partial(conclude, waiter))
            await waiter
        return self.json

    def _tell(self, _: object = None) -> None:
        now, self._waiting = self._waiting[:TOLD_AT_ONCE], self._waiting[TOLD_AT_ONCE:]
        for on_arrival in now:
            on_arrival()
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._tell)


def conclude(over: asyncio.Future[None], error: BaseException | None = None) -> None:
    """Tell whoever waits, if anybody still does."""
    if over.done():
        return
    if error is None:
        over.set_result(None)
    else:
        over.set_exception(error)
