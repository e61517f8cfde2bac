"""Pours answers from streams into outlets: no task is woken for each of them.

Streams that ask for the same thing, and have come equally far, need not each hear of what happens and ask for its answer. One of
them does, the leader, and the others lean on it: they get each answer behind it, some at a time, with the event loop's turn
between. Whoever leaves this chorus hears for itself from where it had come to: because its client is gone, its key has ended,
or its outlet takes nothing more. If the leader leaves, in the middle of an answer perhaps, one of those who lack it goes on in
its place. So nobody lacks an answer, and nobody gets one twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from typing import Final, Protocol

from schema.engine.shared_answer import TOLD_AT_ONCE, SharedAnswer, conclude

Outlet = Callable[[bytes], bool]
"""Takes the JSON of an answer if it can be sent at once, and says whether it did."""

BEFORE_ALL: Final = -1
"""A place before any in the log."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a source has next: the answer to it, which may not be there yet, its cursor, and its place in the log.

    The place is `None` where source events have none of their own; nobody leans on who reads such.
    """

    answer: SharedAnswer
    cursor: str | None
    place: int | None


class Poured(Protocol):
    """A stream, as far as it is poured: `schema.engine.streaming.Stream`."""

    @property
    def seen(self) -> int | None:
        """Up to which place nothing is left to take; `None` if nobody may lean on it, nor it on anybody."""

    def take(self) -> Found | None:
        """What the source has next; `None` if it has nothing. Raises `escrow.live.key_lifetimes.Ended`."""

    def tell(self, on_news: Callable[[], None]) -> None:
        """Call it once, soon after there is something to take."""

    def give(self, outlet: Outlet, json: bytes, cursor: str | None) -> bool:
        """Give the outlet an answer; whether it took it."""

    def check(self) -> None:
        """Raise `Ended` if the reader is to have nothing any more."""

    def lean(self) -> None:
        """Hear nothing for now: another stream hears for both."""

    def stand(self, after: int) -> None:
        """Hear again, of what comes after that place."""


class Pouring:
    """One stream while it is poured. Called, it gives the outlet what is there, and has itself called again when there is more.

    It is one object for all answers: with thousands of streams what each answer needs anew for each of them is what takes time.
    """

    __slots__ = ("_chorus", "_context", "_outlet", "_over", "_stream", "at", "found")

    def __init__(self, stream: Poured, outlet: Outlet, over: asyncio.Future[None], chorus: Chorus) -> None:
        self._stream = stream
        self._outlet = outlet
        self._over = over
        self._chorus = chorus
        self._context = copy_context()
        self.found: Found | None = None
        """What it waits for, or hands on."""
        self.at = BEFORE_ALL
        """The place of what it got last."""

    def __call__(self) -> None:
        try:
            while not self._over.done():
                if self.found is None:
                    self.found = self._looked()
                if self.found is None or not self.found.answer.is_there or self._chorus.hears_from(self):
                    return
                self._hand_out(self.found)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - for whoever waits
            conclude(self._over, error)

    @property
    def seen(self) -> int | None:
        """Up to where nothing is left to take, for who stands."""
        return self._stream.seen

    def hear(self, found: Found, json: bytes | None) -> None:
        """Give the outlet what the leader got, unless it is poured no more; it must not raise."""
        if self._over.done() or found.place is None or found.place <= self.at:
            return
        try:
            self._stream.check()
            self._give(found, json)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - for whoever waits
            conclude(self._over, error)

    def call_soon(self) -> None:
        """Have it look for what is there, as itself: whoever asks for that may be about to leave."""
        asyncio.get_running_loop().call_soon(self, context=self._context)

    def go_on(self) -> None:
        """Everybody has what was handed on."""
        self.found = None
        self()

    def lean(self) -> None:
        self._stream.lean()

    def stand(self, after: int) -> None:
        """Hear for itself again, of what comes after that place, or after what it got last."""
        self._stream.stand(max(after, self.at))

    def end(self) -> None:
        """Let it be read one by one."""
        conclude(self._over)

    def _looked(self) -> Found | None:
        found = self._stream.take()
        if found is None:
            if not self._chorus.rest(self):
                self._stream.tell(self)
        elif not found.answer.is_there:
            found.answer.tell(self)
        return found

    def _hand_out(self, found: Found) -> None:
        json = found.answer.json
        self._give(found, json)
        if not self._over.done() and not self._chorus.hand_on(self, found, json):
            self.found = None

    def _give(self, found: Found, json: bytes | None) -> None:
        if found.place is not None:
            self.at = found.place
        if json is not None and not self._stream.give(self._outlet, json, found.cursor):
            conclude(self._over)


class Chorus:
    """Those of a group that are poured: the leader, those who lean on it, and others who may yet."""

    def __init__(self) -> None:
        self._leader: Pouring | None = None
        self._leaning: dict[Pouring, None] = {}
        self._waiting: dict[Pouring, None] = {}
        """Who had nothing to take while the leader had: they are asked again once it hasn't."""
        self._handed_on: Found | None = None
        self._due: list[Pouring] = []
        """Who lacks what is handed on."""
        self._place = BEFORE_ALL
        """Up to where the leader had seen everything, when it had last."""

    def rest(self, one: Pouring) -> bool:
        """This one has nothing left to take; whether it leans on the leader from now on, instead of being told."""
        seen = one.seen
        if seen is None:
            return False
        leader = self._leader
        if leader is None or leader is one:
            self._leader, self._place = one, seen
            self._ask_again()
            return False
        if leader.found is not None or leader.seen != seen:
            self._waiting[one] = None
            return False
        one.lean()
        self._leaning[one] = None
        return True

    def hears_from(self, one: Pouring) -> bool:
        """Whether others are given just now what this one, the leader, got."""
        return self._handed_on is not None and one is self._leader

    def hand_on(self, one: Pouring, found: Found, json: bytes | None) -> bool:
        """Give what the leader got to all who lean on it, and have it go on afterwards; whether there is anybody."""
        if one is not self._leader or not self._leaning:
            return False
        self._handed_on, self._due = found, list(self._leaning)
        asyncio.get_running_loop().call_soon(self._give_some, found, json)
        return True

    def leave(self, one: Pouring) -> None:
        """This one is poured no more, and hears for itself from where it is; a second time does nothing."""
        self._waiting.pop(one, None)
        if one is self._leader:
            self._replace(one)
        elif one in self._leaning:
            del self._leaning[one]
            one.stand(self._had_by_all())

    def _give_some(self, found: Found, json: bytes | None) -> None:
        if self._handed_on is not found or self._leader is None:
            return  # the leader has left, and another one goes on
        now, self._due = self._due[:TOLD_AT_ONCE], self._due[TOLD_AT_ONCE:]
        for one in now:
            one.hear(found, json)
        if self._due:
            asyncio.get_running_loop().call_soon(self._give_some, found, json)
        else:
            self._handed_on = None
            self._leader.go_on()

    def _had_by_all(self) -> int:
        """Up to where everybody who leans has everything; some have more."""
        leader = self._leader
        if leader is not None and leader.found is not None and leader.found.place is not None:
            return leader.found.place - 1
        seen = leader.seen if leader is not None else None
        return self._place if seen is None else seen

    def _replace(self, gone: Pouring) -> None:
        """Another one hears for all, if there is any: one of those who lack what is handed on, for they go first."""
        had_by_all = self._had_by_all()
        due, self._due = self._due, []
        self._leader = self._handed_on = None
        heir = next((one for one in due if one in self._leaning), None) or next(iter(self._leaning), None)
        if heir is None:
            return
        del self._leaning[heir]
        heir.stand(had_by_all)
        if heir.seen is None:
            self._disperse(heir, had_by_all)
            return
        self._leader, self._place = heir, had_by_all
        heir.call_soon()

    def _disperse(self, heir: Pouring, had_by_all: int) -> None:
        """It lies too far back for anybody to be told of it: each reads on by itself."""
        alone, self._leaning = [heir, *self._leaning], {}
        for one in alone[1:]:
            one.stand(had_by_all)
        for one in alone:
            one.end()

    def _ask_again(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for one in waiting:
            one.call_soon()
