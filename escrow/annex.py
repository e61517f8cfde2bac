"""An event loop in a thread of its own, beside the one that serves everybody: for operations that are dear as a whole.

However long something there takes, the other loop gets its turn within `aside.SWITCH_SECONDS`, and nothing that the work does
has to know of it. The annex has a pool of its own; what belongs to the home loop is done there by `at_home`. Owners take turns,
and each has only a few works under way: what one asks for, the others don't wait for.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Hashable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from escrow import database
from escrow.aside import be_apart

T = TypeVar("T")

UNDER_WAY_MAX: Final = 6
"""Works at once: more would only wait for each other."""

UNDER_WAY_OF_ONE_MAX: Final = 2
"""Works of one owner at once, so that one can compute while PostgreSQL is busy with the other."""

WAITING_OF_ONE_MAX: Final = 100
"""Works of one owner that wait; whoever has more is turned away."""

POOL_CONNECTIONS_MAX: Final = 2 * UNDER_WAY_MAX


class Crowded(Exception):
    """This owner has so much waiting that no more is taken."""


@dataclass(frozen=True, slots=True)
class Use:
    """How much of an annex is in use at a moment."""

    under_way: int
    """Works that are being done."""
    waiting: int
    """Works whose owner's turn hasn't come yet."""
    connections: int
    """Connections that are in use, of `connections_max`."""
    connections_max: int


@dataclass(frozen=True, slots=True)
class _Home:
    loop: asyncio.AbstractEventLoop
    context: contextvars.Context


_home: ContextVar[_Home | None] = ContextVar("home", default=None)


async def at_home(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What `work` answers or raises, done in the home loop: at once if this is it."""
    home = _home.get()
    if home is None:
        return await work()
    return await asyncio.wrap_future(home.context.copy().run(asyncio.run_coroutine_threadsafe, work(), home.loop))


class Annex:
    """The other loop, and who waits for it. Its methods are for the home loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, pool: Any) -> None:
        self._loop, self._pool = loop, pool
        self._under_way: Counter[Hashable] = Counter()
        self._waiting: OrderedDict[Hashable, deque[asyncio.Future[None]]] = OrderedDict()

    async def run(self, work: Callable[[], Coroutine[Any, Any, T]], *, owner: Hashable) -> T:
        """What `work` answers or raises, done in the annex when it is its owner's turn. Raises `Crowded`."""
        await self._turn(owner)
        try:
            home = _Home(asyncio.get_running_loop(), contextvars.copy_context())
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._work(work, home), self._loop))
        finally:
            self._done(owner)

    def use(self) -> Use:
        """How much of it is in use."""
        used, most = database.use_of(self._pool)
        return Use(self._under_way.total(), sum(map(len, self._waiting.values())), used, most)

    def reading(self, owner: Hashable) -> Callable[[Callable[[], T]], Awaitable[T]]:
        """Does for this owner what waits for nothing."""

        async def read(work: Callable[[], T]) -> T:
            async def there() -> T:
                return work()

            return await self.run(there, owner=owner)

        return read

    async def _work(self, work: Callable[[], Coroutine[Any, Any, T]], home: _Home) -> T:
        _home.set(home)
        be_apart()
        with database.using(self._pool):
            return await work()

    async def _turn(self, owner: Hashable) -> None:
        if not self._waiting and self._has_room(owner):
            self._under_way[owner] += 1
            return
        waiting = self._waiting.setdefault(owner, deque())
        if len(waiting) >= WAITING_OF_ONE_MAX:
            raise Crowded
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        self._next()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._done(owner)  # it was just its turn
            raise

    def _has_room(self, owner: Hashable) -> bool:
        return self._under_way.total() < UNDER_WAY_MAX and self._under_way[owner] < UNDER_WAY_OF_ONE_MAX

    def _done(self, owner: Hashable) -> None:
        self._under_way[owner] -= 1
        if not self._under_way[owner]:
            del self._under_way[owner]
        self._next()

    def _next(self) -> None:
        """Let those begin for whom there is room, one of each owner after the other."""
        for owner in tuple(self._waiting):
            if self._has_room(owner):
                self._begin(owner)

    def _begin(self, owner: Hashable) -> None:
        waiting = self._waiting.pop(owner)
        while waiting:
            turn = waiting.popleft()
            if not turn.done():  # whoever waited is still there
                self._under_way[owner] += 1
                turn.set_result(None)
                break
        if waiting:
            self._waiting[owner] = waiting  # behind the others


@asynccontextmanager
async def opened(database_url: str) -> AsyncIterator[Annex]:
    """An annex on this database while the block lasts; what is under way at its end is cancelled."""
    loop = type(asyncio.get_running_loop())()  # of the same make
    thread = threading.Thread(target=loop.run_forever, name="annex", daemon=True)
    thread.start()
    try:
        async with _pool(loop, database_url) as pool:
            yield Annex(loop, pool)
            await _in(loop, _cancelled())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        await asyncio.to_thread(thread.join)
        loop.close()


@asynccontextmanager
async def _pool(loop: asyncio.AbstractEventLoop, database_url: str) -> AsyncIterator[Any]:
    pool = database.pool_beside(database_url, size=POOL_CONNECTIONS_MAX)
    try:
        await _in(loop, _begun(pool))
        yield pool
    finally:
        await _in(loop, database.close_beside(pool))


async def _begun(pool: Any) -> None:
    """Let a first statement open the pool."""
    with database.using(pool):
        await database.fetch_value("SELECT 1")


async def _cancelled() -> None:
    """End what goes on in the running loop."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for one in others:
        one.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _in(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> Awaitable[T]:
    return asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))
