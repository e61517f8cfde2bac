"""Watches the credentials that this process's streams were opened with: a stream ends when its key, token or member does.

A revocation is an event of the log, so it takes effect at its very place among the others. A look at all keys every few
seconds finds those that expired, and whatever the log did not tell, or told before somebody was watched.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from enum import StrEnum

from escrow.access import Actor
from escrow.accounts.authentication import lives


class Ending(StrEnum):
    """Why a stream ends that nobody asked to end."""

    CREDENTIALS = "CREDENTIALS"
    """The key was revoked or has expired, or its member was removed."""
    RIGHTS = "RIGHTS"
    """What the key may see has changed; whoever comes back sees what it may see now."""
    CUT = "CUT"
    """What the reader was told last is no more; whoever comes back with its cursor is told so."""
    TOO_SLOW = "TOO_SLOW"
    """The reader fell too far behind."""


class Ended(Exception):
    """The stream is over, for the reason that it says; whoever reads may come back with the last cursor."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.value)
        self.ending = ending


@dataclass(slots=True, eq=False)
class Viewer:
    """Somebody who is connected, and until when their key lives by this process' own monotonic clock."""

    actor: Actor
    on_end: Callable[[Ending], None]
    ending: Ending | None = None
    """Why it reads no further, once it doesn't."""
    ends_at: float | None = None
    is_admitted: bool = False
    """Whether `on_end` is told; before, whoever admits it hears that it is over."""

    def check(self) -> None:
        """Raise `Ended` if the key has ended by now, or has other rights."""
        if self.ends_at is not None and time.monotonic() >= self.ends_at:
            self.end()
        if self.ending is not None:
            raise Ended(self.ending)

    def end(self, ending: Ending = Ending.CREDENTIALS) -> None:
        """The key opens nothing any more, or something else; whoever holds the connection is told once."""
        if self.ending is None:
            self.ending = ending
            if self.is_admitted:
                self.on_end(ending)


@dataclass(slots=True, eq=False)
class Keys:
    """Who is connected by which key or session, or as which member without one."""

    viewers: dict[str, set[Viewer]] = field(default_factory=dict)
    made: dict[str, set[Viewer]] = field(default_factory=dict)
    """Who is connected by a session, by the key that made it."""

    async def admit(self, viewer: Viewer) -> None:
        """Watch over the viewer's key from now on; raises `Ended` if it is over, or opens something else. One statement."""
        key_id = viewer.actor.credentials
        if key_id is None:
            viewer.is_admitted = True
            return
        self.viewers.setdefault(key_id, set()).add(viewer)  # first watch, then look: nothing falls between
        if viewer.actor.made_by is not None:
            self.made.setdefault(viewer.actor.made_by, set()).add(viewer)
        try:
            await self._look([key_id])
            viewer.check()
        except BaseException:
            self.dismiss(viewer)
            raise
        viewer.is_admitted = True

    def dismiss(self, viewer: Viewer) -> None:
        """The viewer has gone."""
        _leave(self.viewers, viewer.actor.credentials, viewer)
        _leave(self.made, viewer.actor.made_by, viewer)

    def end(self, key_id: str) -> None:
        """The key was revoked, the session ended, or the member removed."""
        for viewer in (*self.viewers.get(key_id, ()), *self.made.get(key_id, ())):
            viewer.end()

    def end_all(self, ending: Ending) -> None:
        """Nobody reads on."""
        for viewers in tuple(self.viewers.values()):
            for viewer in tuple(viewers):
                viewer.end(ending)

    def set_mediation(self, account_id: str, *, is_mediator: bool) -> None:
        """Whether the account decides disputes has changed: its streams end, and begin anew with what it may see now."""
        for viewers in tuple(self.viewers.values()):
            for viewer in tuple(viewers):
                if viewer.actor.account_id == account_id and viewer.actor.is_mediator != is_mediator:
                    viewer.end(Ending.RIGHTS)

    async def look(self) -> None:
        """See which of all the keys still live; one statement, none while nobody is there."""
        if self.viewers:
            await self._look(list(self.viewers))

    async def _look(self, key_ids: Collection[str]) -> None:
        asked_at = time.monotonic()
        living = await lives(key_ids)
        for key_id in key_ids:
            life = living.get(key_id)
            for viewer in tuple(self.viewers.get(key_id, ())):
                viewer.ends_at = _ends_at(viewer.actor, life.seconds if life is not None else 0.0, asked_at)
                if viewer.ends_at is not None and time.monotonic() >= viewer.ends_at:
                    viewer.end()
                elif life is not None and life.is_mediator != viewer.actor.is_mediator:
                    viewer.end(Ending.RIGHTS)  # the log told of it before the viewer was watched


def _leave(watched: dict[str, set[Viewer]], name: str | None, viewer: Viewer) -> None:
    if name is not None and name in watched:
        watched[name].discard(viewer)
        if not watched[name]:
            del watched[name]


def _ends_at(actor: Actor, seconds: float | None, asked_at: float) -> float | None:
    """When what the viewer came with ends, whichever part of it ends first."""
    ends = [asked_at + seconds] if seconds is not None else []
    ends += [asked_at + actor.until - time.time()] if actor.until is not None else []
    return min(ends, default=None)
