"""Runs a subscription: the operation is executed for each source event, once for all who wait for the same.

Streams of the same document with the same variables by the same viewer form a group. Whoever of a group comes to a source
event first has it executed; the others get the same bytes.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Final

from schema.engine.sources import Source, SourceEvent

ANSWERS_KEPT_MAX: Final = 32
"""Answers that a group keeps for those of it that come later; whoever comes later still has it executed again."""

ANSWERS_KEPT_SECONDS: Final = 10.0
"""And for how long: words may be erased meanwhile."""

Execute = Callable[[SourceEvent], Awaitable[bytes | None]]
"""Executes the operation for a source event: the JSON of the answer, or `None` if there is nothing to say any more."""


@dataclass(frozen=True, slots=True)
class Payload:
    """An answer of a stream, printed, and where to go on from after it if the stream can be resumed."""

    json: bytes
    cursor: str | None


class _Answer:
    """An answer that several wait for. Whoever leaves in the middle of it takes nothing from the others."""

    def __init__(self, work: Awaitable[bytes | None]) -> None:
        self._made_at = time.monotonic()
        self._work = asyncio.ensure_future(work)
        self._work.add_done_callback(self._tell)
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def is_fresh(self) -> bool:
        """Whether it may still be given to somebody else."""
        return time.monotonic() - self._made_at < ANSWERS_KEPT_SECONDS

    async def json(self) -> bytes | None:
        """The answer, as soon as it is there."""
        if not self._work.done():
            # A future of its own costs a tenth of a shield around the work.
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            await waiter
        return self._work.result()

    def _tell(self, _: object) -> None:
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)
        self._waiting.clear()


@dataclass(slots=True, eq=False)
class _Group:
    """Streams that ask for the same thing, and the answers that they got last."""

    key: Hashable
    """What they ask for; kept here alone, for it is as long as the question."""
    members: int = 0
    answers: OrderedDict[Hashable, _Answer] = field(default_factory=OrderedDict)

    async def answer(self, source_event: SourceEvent, execute: Execute) -> bytes | None:
        answer = self.answers.get(source_event.key)
        if answer is None or not answer.is_fresh:
            if self.members == 1:  # nobody to share with: no task of its own, and nothing to keep
                return await execute(source_event)
            answer = self.answers[source_event.key] = _Answer(execute(source_event))
            if len(self.answers) > ANSWERS_KEPT_MAX:
                self.answers.popitem(last=False)
        return await answer.json()


class Groups:
    """All streams of one runner, by what they ask for."""

    def __init__(self) -> None:
        self._groups: dict[Hashable, _Group] = {}

    def __len__(self) -> int:
        return len(self._groups)

    def open(self, key: Hashable, source: Source, execute: Execute) -> Stream:
        """A stream of the answers to this source's events; `key` is the same for those who share them."""
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(key)
        group.members += 1
        return Stream(source, execute, group, self._leave)

    def _leave(self, group: _Group) -> None:
        group.members -= 1
        if not group.members:
            del self._groups[group.key]


class Stream:
    """The answers of one subscription. Close it when done."""

    def __init__(self, source: Source, execute: Execute, group: _Group, leave: Callable[[_Group], None]) -> None:
        self._source = source
        self._execute = execute
        self._group = group
        self._leave = leave
        self._is_closed = False

    @property
    def is_too_slow(self) -> bool:
        """Whether its reader has fallen too far behind, also while nobody asks for the next answer."""
        return self._source.is_too_slow

    async def next(self) -> Payload:
        """The next answer, as soon as there is one. Raises `escrow.live.key_lifetimes.Ended` when the stream is over."""
        while True:
            source_event = await self._source.__anext__()
            json = await self._group.answer(source_event, self._execute)
            if json is not None:
                return Payload(json, source_event.cursor)

    def close(self) -> None:
        """Let go of the source; a second time does nothing."""
        if not self._is_closed:
            self._is_closed = True
            self._source.close()
            self._leave(self._group)
