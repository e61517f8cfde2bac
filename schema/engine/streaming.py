"""Runs a subscription: the operation is executed for each source event, once for all who wait for the same.

Streams of the same document with the same variables by the same viewer form a group. Whoever of a group comes to a source
event first has it executed; the others get the same bytes. Where nothing is in the way an answer is poured from its group
straight into the sockets: no task is woken for each of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from escrow import database
from escrow.live.hub import PAUSES_SECONDS
from schema.engine.pouring import Chorus, Found, Outlet, Pouring
from schema.engine.shared_answer import SharedAnswer
from schema.engine.sources import Source, SourceEvent
from schema.engine.told import Answer

ANSWERS_KEPT_MAX: Final = 32
"""Answers that a group keeps for those of it that come later; whoever comes later still has it executed again."""

_log = logging.getLogger(__name__)

T = TypeVar("T")

Execute = Callable[[SourceEvent], Awaitable[bytes | None]]
"""Executes the operation for a source event: the JSON of the answer, or `None` if there is nothing to say any more."""


class Refused(Exception):
    """The stream is over, and its connection is not: what was asked for is answered no more. `answer` says why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


class WithErrors(bytes):
    """The JSON of an answer that has errors: whoever resumes gets it once more, so it isn't where to go on from."""


Sent = Callable[[], None]
"""Counts that an answer was handed over to one of those who get it."""


@dataclass(frozen=True, slots=True)
class Payload:
    """An answer of a stream, printed, and where to go on from after it, if it has no errors and the stream can be resumed."""

    json: bytes
    cursor: str | None

    @classmethod
    def of(cls, json: bytes, cursor: str | None) -> Payload:
        """The answer to the source event with this cursor."""
        return cls(json, None if isinstance(json, WithErrors) else cursor)


async def once_there(make: Callable[[], Awaitable[T]], check: Callable[[], None]) -> T:
    """What `make` comes to, asked for again while the database is away: nobody would tell its reader later what it missed.

    `check` raises if the reader is to have nothing any more when it is back.
    """
    failures = 0
    while True:
        try:
            return await make()
        except database.AWAY as error:
            if not failures:
                _log.warning("an answer of a stream waits, the database is away", extra={"error": error})
            await asyncio.sleep(PAUSES_SECONDS[min(failures, len(PAUSES_SECONDS) - 1)])
            failures += 1
            check()


@dataclass(slots=True, eq=False)
class _Group:
    """Streams that ask for the same thing, and the answers that they got last."""

    key: Hashable
    """What they ask for; kept here alone, for it is as long as the question."""
    members: int = 0
    answers: OrderedDict[Hashable, SharedAnswer] = field(default_factory=OrderedDict)
    begun_last: SharedAnswer | None = None
    """The answer that was begun last, which may be kept nowhere else."""
    chorus: Chorus = field(default_factory=Chorus)
    """Those of them that are poured."""

    async def answer(self, source_event: SourceEvent, execute: Execute) -> bytes | None:
        if self.members == 1 and source_event.key not in self.answers:  # nobody to share with: no task of its own
            return await execute(source_event)
        return await self.begun(source_event, execute).arrived()

    def begun(self, source_event: SourceEvent, execute: Execute) -> SharedAnswer:
        """The answer to the source event, which somebody of the group has waited for, or waits for, or will."""
        answer = self.answers.get(source_event.key)
        if answer is None or not answer.is_fresh:
            self.begun_last = answer = SharedAnswer(execute(source_event))
            if self.members > 1:  # else there is nobody to keep it for
                self.answers[source_event.key] = answer
                if len(self.answers) > ANSWERS_KEPT_MAX:
                    self.answers.popitem(last=False)
        return answer

    def give_up(self) -> None:
        """Nobody is there any more who would wait for an answer."""
        for answer in (*self.answers.values(), self.begun_last):
            if answer is not None:
                answer.give_up()


class Groups:
    """All streams of one runner, by what they ask for."""

    def __init__(self) -> None:
        self._groups: dict[Hashable, _Group] = {}

    def __len__(self) -> int:
        return len(self._groups)

    def open(self, key: Hashable, source: Source, execute: Execute, sent: Sent = lambda: None) -> Stream:
        """A stream of the answers to this source's events; `key` is the same for those who share them."""
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(key)
        group.members += 1
        return Stream(source, execute, group, self._leave, sent)

    def _leave(self, group: _Group) -> None:
        group.members -= 1
        if not group.members:
            del self._groups[group.key]
            group.give_up()


class Stream:
    """The answers of one subscription. Close it when done."""

    def __init__(
        self, source: Source, execute: Execute, group: _Group, leave: Callable[[_Group], None], sent: Sent
    ) -> None:
        self._sent = sent
        self._source = source
        self._execute = execute
        self._group = group
        self._leave = leave
        self._is_closed = False
        self._held: Payload | None = None
        """What an outlet didn't take."""

    @property
    def is_too_slow(self) -> bool:
        """Whether its reader has fallen too far behind, also while nobody asks for the next answer."""
        return self._source.is_too_slow

    async def next(self) -> Payload:
        """The next answer, as soon as there is one. Raises `escrow.live.key_lifetimes.Ended` or `Refused` when it is over."""
        if self._held is not None:
            held, self._held = self._held, None
            return held
        while True:
            source_event = await self._source.__anext__()
            json = await self._group.answer(source_event, self._execute)
            if json is not None:
                self._sent()
                return Payload.of(json, source_event.cursor)

    async def pour(self, outlet: Outlet) -> None:
        """Give each answer to the outlet as soon as it is there, for as long as it takes them and the source is flowing.

        It returns when the next answer is to be had from `next`, and raises what that raises.
        """
        if self._source.is_flowing:
            over = asyncio.get_running_loop().create_future()
            pouring = Pouring(self, outlet, over, self._group.chorus)
            pouring()
            try:
                await over
            finally:
                self._group.chorus.leave(pouring)

    @property
    def seen(self) -> int | None:
        """Up to which place in the log nothing is left to take; `None` if it can't be said, or it isn't flowing, or closed."""
        return None if self._is_closed else self._source.seen

    def take(self) -> Found | None:
        """What the source has next, with its answer, which may not be there yet; `None` if it has nothing."""
        source_event = self._source.take()
        if source_event is None:
            return None
        answer = self._group.begun(source_event, self._execute)
        return Found(answer, source_event.cursor, source_event.place)

    def tell(self, on_news: Callable[[], None]) -> None:
        """Call it once, soon after there is something to take."""
        self._source.tell(on_news)

    def give(self, outlet: Outlet, json: bytes, cursor: str | None) -> bool:
        """Give the outlet an answer; what it doesn't take is the next one. Answers whether it took it."""
        self._sent()
        if outlet(json):
            return True
        self._held = Payload.of(json, cursor)
        return False

    def check(self) -> None:
        """Raise `escrow.live.key_lifetimes.Ended` if the stream is over."""
        self._source.check()

    def lean(self) -> None:
        """Hear nothing for now: another stream hears for both."""
        self._source.lean()

    def stand(self, after: int) -> None:
        """Hear again, of what comes after that place in the log; nothing once it is closed."""
        if not self._is_closed:
            self._source.stand(after)

    def close(self) -> None:
        """Let go of the source; a second time does nothing."""
        if not self._is_closed:
            self._is_closed = True
            self._source.close()
            self._leave(self._group)
