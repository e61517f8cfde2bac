"""Says how many fields of an operation may be compiled: as many as its uses were worth so far.

So compiling costs no more than executing did, whatever is written into a document, and however often its plans are let go of.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class NotEarned(Exception):
    """The operation was not used enough yet for what it selects."""


class Earned:
    """What one operation has earned, in fields; `most` is as much as can be saved up."""

    __slots__ = ("_left", "_most", "_needed")

    def __init__(self, fields: float, most: float) -> None:
        self._left, self._most = min(fields, most), most
        self._needed = 0.0

    def earn(self, fields: float) -> None:
        """A use was worth so many fields."""
        self._left = min(self._left + fields, self._most)

    def take(self) -> None:
        """Plan one field. Raises `NotEarned`."""
        if self._left < 1:
            raise NotEarned
        self._left -= 1

    def give_back(self, fields: int) -> None:
        """So many were planned in vain."""
        self._left += fields

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Try how far it reaches. If it isn't far enough, the next attempt needs twice as much: how many fields there are is only
        known once they are planned, and trying takes time, too. Raises `NotEarned`.
        """
        had = self._left
        if had < self._needed:
            raise NotEarned
        try:
            yield
        except NotEarned:
            self._needed = min(2 * had, self._most)
            raise
        self._needed = 0.0
