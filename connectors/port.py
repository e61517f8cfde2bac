"""What the engine's rounds need of both sides and of their memory. A tool is whatever reads and writes like this."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from connectors.sides import Card, Field, OurSide, Pair, Theirs, TheirSide, Values


class ToolError(Exception):
    """The tool didn't do what it was asked; the message is one line for whoever set it up. It is tried again later."""


class ToolRefused(ToolError):
    """It understood, and won't: a token that is wrong, a project that isn't there. Nothing changes that by itself."""


class ListingIncomplete(ToolError):
    """It listed less than it has: what isn't in the listing isn't gone."""


class Moved(Exception):
    """Earnest's side changed while it was written to: the round begins anew."""


class Refused(Exception):
    """Earnest refused one write for what it says; the message is Earnest's."""


class Tool(Protocol):
    """A project of a tool."""

    async def read(self) -> TheirSide:
        """Everything that there is. Raises `ToolError`, and never answers with a part."""

    async def look(self, external_id: str) -> Theirs | None:
        """One item as it is now; None if it is gone, or is none any more that `read` would list."""

    async def create(self, card: Card) -> Theirs:
        """Make an item with the card's mark in it, and give it as the tool has it then."""

    async def write(self, external_id: str, card: Card, changed: frozenset[Field]) -> Theirs:
        """Make an item say what the card says in the fields that changed, its footer and whether it is done."""

    async def close(self) -> None:
        """Let go of connections."""


class Home(Protocol):
    """A contract of Earnest."""

    async def read(self) -> OurSide:
        """Everything that there is."""

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
        """Keep what the tool calls a milestone."""


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
