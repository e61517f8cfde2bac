"""What the engine's rounds need of both sides and of their memory. A tool is whatever reads and writes like this."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from connectors.sides import Card, Field, OurSide, Pair, Theirs, TheirSide, Values


class ToolError(Exception):
    """The tool didn't do what it was asked; the message is one line for whoever set it up. It is tried again later."""


class ToolRefused(ToolError):
    """It understood, and won't: a token that is wrong, a project that isn't there. Nothing changes that by itself."""


class NotDone(ToolError):
    """It was asked too early, or never reached: certainly nothing came of it, and later something may."""


class BeyondTheLog(ToolError):
    """Earnest's log isn't the one that a cursor is from: it was restored to an earlier moment, or is another deployment's."""


class ListingIncomplete(ToolError):
    """It listed less than it has: what isn't in the listing isn't gone."""


class Moved(Exception):
    """Earnest's side changed while it was written to: the round begins anew."""


class Refused(Exception):
    """Earnest refused one write for what it says; the message is Earnest's. `field` is what can't be so, if it is one of ours."""

    def __init__(self, message: str, field: Field | None = None) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """What is being written to an item, or was, and has not been seen in a listing since."""

    milestone_id: str
    values: Values = field(default_factory=dict)
    """What it is to say; of an item that is there only what changes."""
    external_id: str = ""
    """Empty while the item is being made: nobody knows what it will be called."""
    is_answered: bool = False
    shown_at: datetime | None = None
    """The tool's time in its answer: a listing that shows the item as of before is an old one."""
    is_late: bool = False
    """Whether it was begun longer ago than the tool may take to show it."""


class Tool(Protocol):
    """A project of a tool."""

    unseen_seconds: float
    """How long the tool may go on answering as if something that was written weren't; 0 if it never does."""

    async def read(self) -> TheirSide:
        """Everything that there is. Raises `ToolError`, and never answers with a part."""

    async def look(self, external_id: str) -> Theirs | None:
        """One item as it is now; None if it is gone, or is none any more that `read` would list."""

    async def seek(self, mark: str, listed: TheirSide) -> Theirs | None:
        """An item that bears a mark and isn't in a listing yet, by whatever way is more direct; None if it isn't seen."""

    async def create(self, card: Card) -> Theirs:
        """Make an item with the card's mark in it, and give it as the tool has it then. Raises `ToolRefused` and `NotDone`
        only if none was made."""

    async def write(self, external_id: str, card: Card, changed: frozenset[Field]) -> Theirs:
        """Make an item say what the card says in the fields that changed, its footer and whether it is done. Raises `NotDone`
        only if nothing of it was done."""

    async def close(self) -> None:
        """Let go of connections."""


class Home(Protocol):
    """A contract of Earnest."""

    async def read(self, noted: Collection[str] = ()) -> OurSide:
        """Everything that there is, and of the noted milestones those of earlier plans."""

    async def add(self, external_id: str, url: str | None, values: Values, amount: str) -> str:
        """The milestone that the tool's name stands for, made if there is none. Raises `Refused`."""

    async def edit(self, milestone_id: str, values: Values, *, version: int) -> int:
        """Edit a planned milestone; the plan's version afterwards. Raises `Moved` and `Refused`."""

    async def remove(self, milestone_id: str, *, version: int) -> int:
        """Take a planned milestone out; the plan's version afterwards. Raises `Moved` and `Refused`."""

    async def ask_to_add(self, values: Values, amount: str, *, once: str) -> tuple[str, str]:
        """File a change request; its id, and that of the milestone to be. `once` names it if it is asked twice."""

    async def ask_to_edit(self, milestone_id: str, values: Values, *, once: str) -> str:
        """File a change request; its id."""

    async def ask_to_remove(self, milestone_id: str, *, once: str) -> str:
        """File a change request; its id."""

    async def tell(self, milestone_id: str, *, once: str) -> None:
        """Post an update that the tool calls it done."""

    async def submit(self, milestone_id: str, *, once: str) -> None:
        """Hand in the work."""

    async def name(self, milestone_id: str, external_id: str, url: str | None) -> None:
        """Keep what the tool calls a milestone; an empty name if it calls nothing so any more."""


class Memory(Protocol):
    """What was agreed, from one round to the next."""

    async def pairs(self) -> Sequence[Pair]:
        """All of it."""

    async def hold(self) -> None:
        """Make sure that nobody else plays a round of the same coupling, before something is made. Raises if somebody does."""

    async def keep(self, pair: Pair) -> None:
        """Remember a pair in place of what was known of its milestone."""

    async def forget(self, milestone_id: str) -> None:
        """Forget the pair of a milestone."""

    async def intend(self, writing: Writing) -> None:
        """Note what is about to be written, or was, in place of what was noted so of its milestone; holds like `hold`."""

    async def writings(self, unseen_seconds: float) -> Sequence[Writing]:
        """What was noted so, and not seen yet."""

    async def seen(self, milestone_ids: Sequence[str]) -> None:
        """Forget what was noted so of these milestones: it was seen, or didn't happen."""
