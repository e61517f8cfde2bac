"""Follows the log once for the whole process and tells each reader what is for it (the hub).

It reads each event once, however many read it; the bell wakes it, and it looks by itself too, so streams go on while Redis
is away. It keeps a short window of what it read last, so that whoever comes from a replay finds the seam covered. While
nobody is connected it rests.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import islice
from typing import Final

import orjson

from escrow import bell, cuts, database, log, process_log
from escrow.access import Actor, ActorKind
from escrow.accounts.events import KeyRevoked, MediatorAppointed, MediatorDismissed, MemberRemoved, SessionEnded
from escrow.bell import Topic
from escrow.live import occurrences
from escrow.live.key_lifetimes import Ending, Keys, Viewer
from escrow.live.occurrences import Occurrence
from escrow.live.reader import PAGING_MAX, Reader
from escrow.turns import Turns

POLL_SECONDS: Final = 0.5
"""How late an event is noticed at most when no ring came through."""

LOOK_SECONDS: Final = 5.0
"""How often all keys in use are looked at; no event goes out after a key's expiry in any case."""

BATCH_EVENTS: Final = 100
"""Events that are made of rows at a time: a few milliseconds."""

TOLD_AT_ONCE: Final = 1_000
"""Readers that are told of events before everything else that the process does has its turn: about a millisecond."""

WINDOW_EVENTS_MAX: Final = 1_000
WINDOW_BYTES_MAX: Final = 16_000_000
WINDOW_SECONDS: Final = 10.0
"""How much of the log is kept at hand, whichever ends first. Short, since words may be erased from the database meanwhile."""

PAUSES_SECONDS: Final = (0.1, 0.25, 0.5, 1.0, 2.0)
"""Between a failure of the database and the next look; the last one repeats."""

_ENDS: Final = {KeyRevoked.type: "keyId", MemberRemoved.type: "memberId", SessionEnded.type: "sessionId"}
"""Events that end credentials, and where they name them."""

_log = logging.getLogger(__name__)


class Hub:
    """One per process. Connections are admitted with `connected`, and read through `Reader`s."""

    def __init__(
        self, *, poll_seconds: float = POLL_SECONDS, look_seconds: float = LOOK_SECONDS, window: int = WINDOW_EVENTS_MAX
    ) -> None:
        self.position = 0
        """Of the last event that was read; readers that are live were told of everything up to it."""
        self.keys = Keys()
        self.paging = Turns(PAGING_MAX)
        self._poll_seconds = poll_seconds
        self._look_seconds = look_seconds
        self._window_max = window
        self._window: deque[tuple[float, Occurrence]] = deque()
        self._window_bytes = 0
        self._connections = 0
        self._changing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._look_at_keys_at = 0.0
        self._readers: dict[str | None, set[Reader]] = {}
        self._leaning: set[Reader] = set()

    @property
    def readers(self) -> int:
        """How many readers are live, by themselves or leaning on another."""
        return len(self._leaning) + sum(len(readers) for readers in self._readers.values())

    @asynccontextmanager
    async def connected(self, actor: Actor, on_end: Callable[[Ending], None]) -> AsyncIterator[Viewer]:
        """A viewer, while the block lasts. Raises `Ended` at once if the actor's key has ended meanwhile.

        `on_end` is called once if the key ends during the block; readers raise `Ended` by themselves.
        """
        viewer = Viewer(actor, on_end)
        self._connections += 1
        try:
            await self._follow()
            await self.keys.admit(viewer)
            try:
                yield viewer
            finally:
                self.keys.dismiss(viewer)
        finally:
            self._connections -= 1
            if not self._connections:
                await self._rest()

    def attach(self, reader: Reader) -> bool:
        """Let the reader hear of everything after its position, and from now on; `False` if that lies too far back."""
        beyond = self.position - len(self._window)
        if reader.position < beyond:
            return False
        for _, occurrence in islice(self._window, max(0, reader.position - beyond), None):
            reader.offer(occurrence)
        self._readers.setdefault(_audience(reader.viewer.actor), set()).add(reader)
        return True

    def detach(self, reader: Reader) -> None:
        """Tell the reader no more, nor count it among those who lean; nothing if it was never told."""
        self._leaning.discard(reader)
        audience = _audience(reader.viewer.actor)
        readers = self._readers.get(audience)
        if readers is not None:
            readers.discard(reader)
            if not readers:
                del self._readers[audience]

    def lean(self, reader: Reader) -> None:
        """Tell the reader nothing for now: another one, who is told the same, hears for both."""
        self.detach(reader)
        self._leaning.add(reader)

    async def _follow(self) -> None:
        """Begin to follow the log, from its end, if nobody else has."""
        async with self._changing:
            if self._task is None:
                self._forget_the_window()
                self.position = await log.last_position()
                self._task = asyncio.get_running_loop().create_task(self._run(), name="live")

    async def _rest(self) -> None:
        """Stop following, if nobody came meanwhile."""
        async with self._changing:
            if self._connections or self._task is None:
                return
            task, self._task = self._task, None
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        process_log.begin()  # the first connection is not what this is about
        failures = 0
        with bell.listen(Topic.POSITIONED) as wakeups:
            while True:
                try:
                    count = await self._look()
                    failures = 0
                except Exception as error:  # noqa: BLE001 - streams wait for the database, whatever became of it
                    self._say(error, failures)
                    await asyncio.sleep(PAUSES_SECONDS[min(failures, len(PAUSES_SECONDS) - 1)])
                    failures += 1
                    continue
                if count < BATCH_EVENTS:
                    await wakeups.wait(self._poll_seconds)

    async def _look(self) -> int:
        """Take what is new in the log, and once in a while look at the keys; answers how many events it were."""
        if time.monotonic() >= self._look_at_keys_at:
            await self.keys.look()
            await self._look_for_a_cut()
            self._look_at_keys_at = time.monotonic() + self._look_seconds
        found = await occurrences.following(after=self.position, limit=BATCH_EVENTS)
        if found and found[0].position != self.position + 1:
            self._forget_the_window()
            if await self._look_for_a_cut():
                return 0
        told = 0
        for occurrence in found:
            told += self._take(occurrence)
            if told > TOLD_AT_ONCE:
                told = 0
                await asyncio.sleep(0)
        self._trim()
        return len(found)

    async def _look_for_a_cut(self) -> bool:
        """End all streams if the log was cut before what they were told last: whoever comes back hears why."""
        if await cuts.at(self.position) is None:
            return False
        self._forget_the_window()
        self.position = await log.last_position()
        self.keys.end_all(Ending.CUT)
        return True

    def _forget_the_window(self) -> None:
        """What is in it are positions without gaps; a cut leaves one."""
        self._window.clear()
        self._window_bytes = 0

    def _take(self, occurrence: Occurrence) -> int:
        """The next event; how many readers were told of it."""
        self.position = occurrence.position
        self._window.append((time.monotonic(), occurrence))
        self._window_bytes += occurrence.size
        if (ended := _ENDS.get(occurrence.event.type)) is not None:
            self.keys.end(orjson.loads(occurrence.event.body)["data"][ended])
        if occurrence.event.type in (MediatorAppointed.type, MediatorDismissed.type):
            is_mediator = occurrence.event.type == MediatorAppointed.type
            self.keys.set_mediation(occurrence.event.stream_id, is_mediator=is_mediator)
        told = 0
        for audience in {occurrence.client_id or occurrence.event.stream_id, occurrence.freelancer_id, None}:
            readers = self._readers.get(audience, ())
            told += len(readers)
            for reader in readers:
                reader.offer(occurrence)
        return told

    def _trim(self) -> None:
        oldest = time.monotonic() - WINDOW_SECONDS
        while self._window and (
            len(self._window) > self._window_max or self._window_bytes > WINDOW_BYTES_MAX or self._window[0][0] < oldest
        ):
            self._window_bytes -= self._window.popleft()[1].size

    def _say(self, error: Exception, failures: int) -> None:
        if isinstance(error, database.AWAY):
            if not failures:
                _log.warning("live streams wait, the database is away", extra={"error": error})
        else:
            _log.error("live streams wait for a failure of ours", exc_info=error)


def _audience(actor: Actor) -> str | None:
    """Under whose account a reader is found; `None` for those who are told of everything, as mediators are: what is disputed
    may be anybody's."""
    return actor.account_id if actor.kind is ActorKind.ACCOUNT and not actor.is_mediator else None
