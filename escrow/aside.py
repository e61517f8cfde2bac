"""Does long work in a thread beside the event loop, so that one long answer doesn't hold up the short ones.

The thread gains no speed, since Python runs one of them at a time; but the event loop gets its turn within
`SWITCH_SECONDS` of wanting it, however long the work is. There is one thread: what is long waits for what is long, by turns
among those who ask. Only what neither waits nor touches what belongs to the loop may be done there.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, Final, TypeVar

T = TypeVar("T")

SWITCH_SECONDS: Final = 0.0002
"""How long the thread keeps running while the loop wants to, each time that the loop comes back from waiting: several times a
request. Python's own choice is 25 times as long; with a fifth of a millisecond the thread gets about as much done."""

_is_apart: ContextVar[bool] = ContextVar("is_apart", default=False)

_Job = tuple[asyncio.Future[Any], Callable[[], Any]]


def let_the_loop_interrupt() -> None:
    """Shorten the turns of threads, once when a process that serves people starts."""
    sys.setswitchinterval(SWITCH_SECONDS)


class Aside:
    """The thread of one event loop, and who waits for it."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="aside")
        self._waiting: OrderedDict[Hashable, deque[_Job]] = OrderedDict()
        self._is_busy = False

    async def run(self, work: Callable[[], T], *, owner: Hashable) -> T:
        """What `work` answers or raises. Owners take turns, whatever each has waiting."""
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        context = contextvars.copy_context()
        self._waiting.setdefault(owner, deque()).append((answer, lambda: context.run(work)))
        self._next()
        return await answer

    def close(self) -> None:
        """Begin nothing more; what is under way ends by itself."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _next(self) -> None:
        while not self._is_busy and self._waiting:
            answer, work = self._take()
            if answer.done():
                continue  # whoever asked is gone
            self._is_busy = True
            done = asyncio.get_running_loop().run_in_executor(self._thread, work)
            done.add_done_callback(lambda done, answer=answer: self._answer(answer, done))  # type: ignore[misc]

    def _take(self) -> _Job:
        owner, jobs = next(iter(self._waiting.items()))
        job = jobs.popleft()
        if jobs:
            self._waiting.move_to_end(owner)
        else:
            del self._waiting[owner]
        return job

    def _answer(self, answer: asyncio.Future[Any], done: asyncio.Future[Any]) -> None:
        self._is_busy = False
        if not answer.done():
            if done.cancelled():
                answer.cancel()
            elif (error := done.exception()) is not None:
                answer.set_exception(error)
            else:
                answer.set_result(done.result())
        self._next()


_asides: Final[dict[asyncio.AbstractEventLoop, Aside]] = {}


LONG_MILESTONES: Final = 40
"""With so many milestones what is done for each of them is long: 2 to 8 ms."""


def be_apart() -> None:
    """Say that this task, and what it starts, runs in an event loop that holds nobody up: another thread would only compete."""
    _is_apart.set(True)


async def aside_if(is_long: bool, work: Callable[[], T], *, owner: Hashable) -> T:
    """What `work` answers or raises: done at once if it is short, else as `aside` does it."""
    return await aside(work, owner=owner) if is_long else work()


async def aside(work: Callable[[], T], *, owner: Hashable) -> T:
    """What `work` answers or raises, done beside the running event loop; at once in one that nobody waits for.

    `owner` is the account for which it is done; `None` where that is nobody, or nobody who is known.
    """
    if _is_apart.get():
        await asyncio.sleep(0)
        return work()
    loop = asyncio.get_running_loop()
    known = _asides.get(loop)
    if known is None:
        for closed in [one for one in _asides if one.is_closed()]:
            _asides.pop(closed).close()
        _asides[loop] = known = Aside()
    return await known.run(work, owner=owner)
