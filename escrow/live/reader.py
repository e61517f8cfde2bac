"""Holds one reader's place in the log: it reads on from its cursor in the database, then hears the hub, without a gap.

Going live is one step between two turns of the event loop: the hub's window reaches back further than what was read last,
so there is no gap, and positions tell what came already, so there is no duplicate.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context
from functools import partial
from typing import Final, Protocol

from escrow.live import occurrences
from escrow.live.key_lifetimes import Ended, Ending, Viewer
from escrow.live.occurrences import Occurrence
from escrow.turns import Turns

PAGE_EVENTS: Final = 100
"""Events that a replay holds at a time."""

PAGING_MAX: Final = 2
"""Pages of one account that are read at a time: making events of one takes some milliseconds."""

BEHIND_EVENTS_MAX: Final = 500
BEHIND_BYTES_MAX: Final = 1_000_000
"""How far a reader that went live may fall behind, whichever comes first. The events are shared among readers; what a
reader keeps alive by itself is at most this."""


class Follower(Protocol):
    """Whoever follows the log and tells readers of it: `escrow.live.hub.Hub`."""

    position: int
    paging: Turns
    """Whose pages of the log are read at present."""

    def attach(self, reader: Reader) -> bool:
        """Let the reader hear of everything after its position, and from now on; `False` if that lies too far back."""

    def detach(self, reader: Reader) -> None:
        """Tell the reader no more."""

    def lean(self, reader: Reader) -> None:
        """Tell the reader nothing for now: another one, who is told the same, hears for both."""


class Reader:
    """Reads what its viewer may see, in the log's order, each event once. Close it when done."""

    def __init__(
        self,
        hub: Follower,
        viewer: Viewer,
        *,
        after: int,
        stream_id: str | None = None,
        types: frozenset[str] | None = None,
    ) -> None:
        self.viewer = viewer
        self.stream_id = stream_id
        self.position = after
        self.is_too_slow = False
        self._hub = hub
        self._types = types
        self.is_live = False
        """Whether it has caught up with the log, and hears of what happens from the hub."""
        self._page: list[Occurrence] = []
        self._reached = after
        self._behind: list[Occurrence] = []
        self._behind_bytes = 0
        self._teller: tuple[Callable[[], None], Context] | None = None
        self._is_to_tell = False

    @property
    def seen(self) -> int | None:
        """Up to which position nothing is left to take; `None` unless it is live."""
        if not self.is_live or self.is_too_slow:
            return None
        return self._behind[0].position - 1 if self._behind else self._hub.position

    @property
    def behind(self) -> int:
        """Events that it was told of and has not taken yet."""
        return len(self._behind)

    async def next(self) -> Occurrence:
        """The next event, as soon as there is one. Raises `Ended` if the key has ended, or the reader is too slow."""
        if self._page or self._behind:
            await asyncio.sleep(0)  # whoever has much to catch up with doesn't keep the others waiting
        while (found := self.take()) is None:
            if self.is_live:
                await self._news()
            else:
                await self._turn_page()
        return found

    def take(self) -> Occurrence | None:
        """The next event, if it is there by now. Raises `Ended` like `next`."""
        if self._page:
            return self._take(self._page)
        if self._behind or (not self.is_live and self.go_live() and self._behind):
            return self._take(self._behind)
        if self.is_too_slow:
            raise Ended(Ending.TOO_SLOW)
        return None

    def go_live(self) -> bool:
        """Hear of what happens from the hub, once all before it was read; whether it does."""
        if not self.is_live and not self._page:
            self.position = max(self.position, self._reached)
            self.is_live = self._hub.attach(self)
        return self.is_live

    def lean(self) -> None:
        """Hear nothing for now, with nothing left to take: another reader of the same hears for both."""
        self._hub.lean(self)
        self.is_live = False

    def stand(self, after: int) -> None:
        """Hear for oneself again, of what comes after that position."""
        self._hub.detach(self)
        self.position = max(self.position, after)
        self.go_live()

    def tell(self, on_news: Callable[[], None]) -> None:
        """Call it once, soon after the next event of which a live reader hears, in the context in which it was first told."""
        if self._teller is None or self._teller[0] is not on_news:
            self._teller = on_news, copy_context()
        self._is_to_tell = True

    def take_more(self) -> list[Occurrence]:
        """All that is there by now without waiting, for a reader who only needs to know that something happened."""
        if not self.is_live:
            return []
        more = list(self._behind)
        self._behind.clear()
        self._behind_bytes = 0
        if more:
            self.position = more[-1].position
        return more

    def offer(self, occurrence: Occurrence) -> None:
        """The hub tells of an event; it is kept for the reader, if it is for them."""
        if occurrence.position <= self.position or self.is_too_slow or not self._wants(occurrence):
            return
        self._behind.append(occurrence)
        self._behind_bytes += occurrence.size
        if len(self._behind) > BEHIND_EVENTS_MAX or (self._behind_bytes > BEHIND_BYTES_MAX and len(self._behind) > 1):
            self.is_too_slow = True  # the cursor of the last event taken is where to go on from
            self._behind.clear()
        if self._is_to_tell and self._teller is not None:
            self._is_to_tell = False
            on_news, context = self._teller
            asyncio.get_running_loop().call_soon(on_news, context=context)

    def close(self) -> None:
        """Hear no more."""
        self._hub.detach(self)
        self._page.clear()
        self._behind.clear()
        self._teller = None

    async def _news(self) -> None:
        news = asyncio.get_running_loop().create_future()
        self.tell(partial(_set, news))
        await news

    def _take(self, waiting: list[Occurrence]) -> Occurrence:
        self.viewer.check()
        occurrence = waiting.pop(0)
        if waiting is self._behind:
            self._behind_bytes -= occurrence.size
        self.position = occurrence.position
        return occurrence

    def _wants(self, occurrence: Occurrence) -> bool:
        if self.stream_id is not None and occurrence.event.stream_id != self.stream_id:
            return False
        if self._types is not None and occurrence.event.type not in self._types:
            return False
        return occurrence.is_for(self.viewer.actor)

    async def _turn_page(self) -> None:
        """Read on from the database, up to where the hub is."""
        self.viewer.check()
        async with self._hub.paging.of(self.viewer.actor.account_id):
            found, self._reached = await occurrences.visible(
                self.viewer.actor,
                after=self.position,
                until=self._hub.position,
                limit=PAGE_EVENTS,
                stream_id=self.stream_id,
                types=self._types,
            )
        self._page.extend(found)


def _set(news: asyncio.Future[None]) -> None:
    if not news.done():
        news.set_result(None)
