"""Remembers for a moment whose key a token is, so that a key in use costs a statement four times a second, not each time.

One rule keeps what has ended from being served, in any process and whether or not Redis is there: what was read is used for
`TERM_SECONDS` from before it was asked for, and a command that changes what keys open answers only when that time is over
(`outlive`). So whoever asks after that answer was given asks the database. The bell makes it happen sooner.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2s
from typing import Final, NamedTuple
from weakref import WeakSet

from escrow import bell, meters
from escrow.access import Actor
from escrow.accounts import authentication, tokens
from escrow.annex import at_home
from escrow.bell import Topic, Wakeups

TERM_SECONDS: Final = 0.25
"""How long it is remembered whose key a token is. All processes of a deployment must agree on it: who changes it stops the
old ones before the new ones start, or revokes nothing meanwhile."""

MARGIN_SECONDS: Final = 0.01
"""What the clocks of two machines may differ by within one term, and far more than they do."""

KEPT_MAX: Final = 10_000
"""Keys that are remembered at once, some 10 MB; beyond it those go first that were read first."""

RIGHT_KEPT_MAX: Final = 10_000
"""Keys of which it is remembered that they were right once."""

_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""A clock that goes on while the machine sleeps, where there is one."""


def now() -> float:
    """The time by which terms are measured, in seconds."""
    return time.clock_gettime(_CLOCK)


def _mark(token: str) -> bytes:
    """By what a token is remembered: a digest of its own, which is made in a third of the time of the one that is stored."""
    return blake2s(token.encode(errors="surrogatepass")).digest()


class _Known(NamedTuple):
    actor: Actor
    asked_at: float
    until: float


class KnownKeys:
    """What one process remembers. Tokens it knows only by their digests."""

    def __init__(self, *, term_seconds: float = TERM_SECONDS) -> None:
        self._term_seconds = term_seconds
        self._known: dict[bytes, _Known] = {}
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._asking: dict[bytes, asyncio.Future[None]] = {}
        """Tokens that are being asked for, and when that is over."""
        self._era = 0
        _here.add(self)

    def __len__(self) -> int:
        return len(self._known)

    async def actor(self, token: str, *, fresh: bool = False) -> Actor | None:
        """The actor of a token, as `authentication.authenticate` says; without a statement if it is remembered.

        `fresh` asks in any case: for what goes on longer than a term, such as a stream.
        """
        mark = _mark(token)
        known = self._known.get(mark)
        if known is not None and not fresh and now() < known.until:
            meters.CACHES.add("keys", "hit")
            return known.actor
        shown = tokens.read(token)
        if shown is None:
            return None
        asking = self._asking.get(mark)
        if asking is not None and not fresh:
            await asyncio.wait((asking,))
            known = self._known.get(mark)
            if known is not None and now() < known.until:
                meters.CACHES.add("keys", "hit")
                return known.actor
        meters.CACHES.add("keys", "miss")
        return await self._ask_for_others_too(shown)

    def was_right(self, token: str) -> bool:
        """Whether a key had this token when it was last asked for: a guess about the next time, no right to anything."""
        return _mark(token) in self._right

    def forget(self) -> None:
        """Remember nothing, nor what is being asked just now: it may have been read before what has changed."""
        self._era += 1
        self._known.clear()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Forget whenever another process says that what keys open has changed."""
        with bell.listen(Topic.KEYS, wakeups=_Forgetting(self)):
            yield

    async def _ask_for_others_too(self, token: tokens.Token) -> Actor | None:
        """Ask, and have whoever comes with the same token meanwhile look first at what is remembered then."""
        mark = _mark(token.text)
        if mark in self._asking:
            return await self._ask(token)
        self._asking[mark] = asked = asyncio.get_running_loop().create_future()
        try:
            return await self._ask(token)
        finally:
            del self._asking[mark]
            asked.set_result(None)

    async def _ask(self, token: tokens.Token) -> Actor | None:
        asked_at, era, mark = now(), self._era, _mark(token.text)
        found = await authentication.find(token)
        self._right.pop(mark, None)
        if found is None:
            self._known.pop(mark, None)
            return None
        self._right[mark] = None
        if len(self._right) > RIGHT_KEPT_MAX:
            self._right.popitem(last=False)
        known = self._known.get(mark)
        if era == self._era and (known is None or known.asked_at <= asked_at):
            self._known.pop(mark, None)  # those that were read last stand last
            self._known[mark] = self._term(found, asked_at)
            self._tidy()
        return found.actor

    def _term(self, found: authentication.Found, asked_at: float) -> _Known:
        seconds = self._term_seconds if found.seconds is None else min(self._term_seconds, found.seconds)
        return _Known(found.actor, asked_at, asked_at + seconds)

    def _tidy(self) -> None:
        """Let go of the oldest that are over, and of those that are too many."""
        while self._known:
            oldest = next(iter(self._known))
            if len(self._known) <= KEPT_MAX and now() < self._known[oldest].until:
                return
            del self._known[oldest]


class _Forgetting(Wakeups):
    """Whoever rings has it forgotten at once: nobody needs to wait for this."""

    def __init__(self, keys: KnownKeys) -> None:
        super().__init__()
        self._keys = keys

    def wake(self) -> None:
        self._keys.forget()


_here: Final[WeakSet[KnownKeys]] = WeakSet()
"""Whatever is remembered in this process."""


async def outlive() -> None:
    """Return once nobody remembers what keys opened before now.

    This process forgets at once, the others as soon as they hear of it, and at the latest by themselves.
    """
    await at_home(_outlived)


async def _outlived() -> None:
    until = now() + TERM_SECONDS + MARGIN_SECONDS
    for keys in tuple(_here):
        keys.forget()
    await bell.ring(Topic.KEYS)
    while (left := until - now()) > 0:  # noqa: ASYNC110 - time is waited for: the event loop's own may be ahead
        await asyncio.sleep(left)
