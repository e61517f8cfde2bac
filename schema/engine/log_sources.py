"""Makes source events out of the log, by a `Reader`, which decides what may be seen."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from functools import lru_cache

from escrow import cursors
from escrow.live.occurrences import Occurrence
from escrow.live.reader import Reader
from escrow.queries.feed import ChangeView
from schema.engine.context import Context
from schema.engine.sources import Source, SourceEvent
from schema.types.contracts import contract_found
from schema.types.events import Event
from schema.types.feed import Change
from schema.types.milestones import milestone_found


class _LogSource(Source):
    """Reads from the log."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._waiting: list[SourceEvent] = []

    async def __anext__(self) -> SourceEvent:
        while not self._waiting:
            self._waiting += self._made_of(await self._reader.next())
        return self._waiting.pop(0)

    @property
    def is_flowing(self) -> bool:
        return self._reader.go_live()

    def take(self) -> SourceEvent | None:
        while not self._waiting:
            first = self._reader.take()
            if first is None:
                return None
            self._waiting += self._made_of(first)
        return self._waiting.pop(0)

    def tell(self, on_news: Callable[[], None]) -> None:
        self._reader.tell(on_news)

    @property
    def is_too_slow(self) -> bool:
        return self._reader.is_too_slow

    def close(self) -> None:
        self._reader.close()

    @abstractmethod
    def _made_of(self, first: Occurrence) -> Iterable[SourceEvent]:
        """What this event, and those that happened with it, are to a subscriber."""


class _PlacedSource(_LogSource):
    """Has one source event for each event, at its position."""

    def take(self) -> SourceEvent | None:
        if self._waiting:
            return self._waiting.pop(0)
        occurrence = self._reader.take()
        return self._source_event(occurrence) if occurrence is not None else None

    @property
    def seen(self) -> int | None:
        return None if self._waiting else self._reader.seen

    def lean(self) -> None:
        self._reader.lean()

    def stand(self, after: int) -> None:
        self._reader.stand(after)

    def check(self) -> None:
        self._reader.viewer.check()

    def _made_of(self, first: Occurrence) -> Iterable[SourceEvent]:
        return (self._source_event(first),)

    @abstractmethod
    def _source_event(self, occurrence: Occurrence) -> SourceEvent:
        """The source event of an event, the same for all who read it."""


class EventSource(_PlacedSource):
    """Each event, with its cursor."""

    def _source_event(self, occurrence: Occurrence) -> SourceEvent:
        return _event(occurrence)


class ChangeSource(_PlacedSource):
    """Each event with what it touched, and its cursor."""

    def _source_event(self, occurrence: Occurrence) -> SourceEvent:
        return _change(occurrence)


class ContractSource(_LogSource):
    """A contract as it is after something happened to it; what happened at once is one source event."""

    def _made_of(self, first: Occurrence) -> Iterable[SourceEvent]:
        last = [first, *self._reader.take_more()][-1]
        contract_id = first.event.stream_id
        return (SourceEvent(last.position, lambda context: contract_found(contract_id, context)),)


class MilestoneSource(_LogSource):
    """Each milestone of a contract that something happened to, as it is then; what happened at once is one for each."""

    def _made_of(self, first: Occurrence) -> Iterable[SourceEvent]:
        happened = [first, *self._reader.take_more()]
        touched = dict.fromkeys(one for occurrence in happened for one in occurrence.milestone_ids)
        return [_milestone(one, happened[-1].position) for one in touched]


def _milestone(milestone_id: str, position: int) -> SourceEvent:
    return SourceEvent((position, milestone_id), lambda context: milestone_found(milestone_id, context))


@lru_cache(maxsize=256)
def _event(occurrence: Occurrence) -> SourceEvent:
    """The source event of an event, made once for all who read it."""
    event = Event.of(occurrence.event, position=occurrence.position)

    async def load(_: Context) -> Event:
        return event

    return SourceEvent(occurrence.position, load, cursors.print_cursor(occurrence.position), occurrence.position)


@lru_cache(maxsize=256)
def _change(occurrence: Occurrence) -> SourceEvent:
    """The source event of a change, made once for all who read it; what it touched is read for each."""
    change = Change.of(
        ChangeView(occurrence.position, occurrence.event.stream_id, occurrence.event, occurrence.milestone_ids)
    )

    async def load(_: Context) -> Change:
        return change

    return SourceEvent(occurrence.position, load, cursors.print_cursor(occurrence.position), occurrence.position)
