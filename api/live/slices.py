"""Shares out what is read of all WebSockets of a process: so many frames in one turn of the event loop, whoever sends them.

What one connection sends at once has room for ten thousand frames, and a client may have a thousand connections. Each bounded by
itself would still be a thousand bounds in one turn, so there is one queue for all of them: whoever has sent something stands
in it, and gets one slice read when it is its turn.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Final, Protocol
from weakref import WeakKeyDictionary

SLICE_BYTES: Final = 256
"""What is read of one connection before the next has its turn: 42 frames of nothing, which take 6 bytes and about 7 µs each."""

FRAMES_PER_TURN: Final = 40
"""After so many frames the rest waits for the next turn of the event loop, and whatever else is due has its own."""

SLICES_PER_TURN: Final = 32
"""After so many slices, too: a slice in which no frame ends takes about 3 µs."""


class Read(Protocol):
    """A connection of which something has come."""

    def read_slice(self) -> int:
        """Read up to `SLICE_BYTES`; how many frames ended in them."""

    @property
    def has_more(self) -> bool:
        """Whether there is something to read that may be read now."""


class Slices:
    """The connections of one event loop of which something is to be read, in the order in which they have their turns."""

    __slots__ = ("__weakref__", "_is_due", "_waiting")

    def __init__(self) -> None:
        self._waiting: OrderedDict[Read, None] = OrderedDict()
        self._is_due = False

    def join(self, one: Read) -> None:
        """Read of it from the next turn on, as long as it has more."""
        self._waiting[one] = None
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        frames = slices = 0
        try:
            while self._waiting and frames < FRAMES_PER_TURN and slices < SLICES_PER_TURN:
                one, _ = self._waiting.popitem(last=False)
                if not one.has_more:
                    continue
                frames += one.read_slice()
                slices += 1
                if one.has_more:
                    self._waiting[one] = None
        finally:  # what one connection does wrong must not end the reading of the others
            self._is_due = bool(self._waiting)
            if self._is_due:
                asyncio.get_running_loop().call_soon(self._turn)


_of_loops: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, Slices]] = WeakKeyDictionary()


def of_this_loop() -> Slices:
    """The queue of the event loop that runs."""
    loop = asyncio.get_running_loop()
    found = _of_loops.get(loop)
    if found is None:
        found = _of_loops[loop] = Slices()
    return found
