"""Defines the source streams of subscriptions: endless source events, for each of which the operation runs once.

A source event says which one it is, so that whoever asks the same thing can share its answer, and how to find the object that
the operation is about.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass

from schema.engine.context import Context


@dataclass(frozen=True, slots=True)
class SourceEvent:
    """Something happened that a subscription answers."""

    key: Hashable
    """The same for the same source event, whoever reads it."""
    load: Callable[[Context], Awaitable[object | None]]
    """The object that the subscription's field is; `None` if it is gone."""
    cursor: str | None = None
    """Where to go on from, if the source can."""
    place: int | None = None
    """Its position in the log, if it is the only source event there."""


class Source(ABC):
    """An endless iterator of source events, to be closed when done. Raises `escrow.live.key_lifetimes.Ended` when it is over."""

    def __aiter__(self) -> Source:
        return self

    @abstractmethod
    async def __anext__(self) -> SourceEvent:
        """The next source event, as soon as there is one."""

    @property
    def is_flowing(self) -> bool:
        """Whether source events can be taken as they happen, by `take` and `tell`, as they can from then on; if not, only
        `__anext__` waits for them."""
        return False

    def take(self) -> SourceEvent | None:
        """The next source event, if the source is flowing and it is there by now. Raises `Ended` like `__anext__`."""
        return None

    def tell(self, on_news: Callable[[], None]) -> None:
        """Call it once, soon after there is something to take."""
        raise NotImplementedError

    @property
    def seen(self) -> int | None:
        """Up to which place nothing is left to take; `None` if it isn't flowing, or its source events have no places. Sources
        that ask for the same and have seen as much have the same to come, so that one of them can hear for all."""
        return None

    def lean(self) -> None:
        """Hear nothing for now: another source hears for both. Only for one that has `seen`."""
        raise NotImplementedError

    def stand(self, after: int) -> None:
        """Hear again, of what comes after that place."""
        raise NotImplementedError

    def check(self) -> None:
        """Raise `Ended` if whoever reads is to have nothing any more."""
        raise NotImplementedError

    @property
    def is_too_slow(self) -> bool:
        """Whether the reader has fallen too far behind, also if nobody asks for the next one now."""
        return False

    @abstractmethod
    def close(self) -> None:
        """Let go of what it reads from."""
