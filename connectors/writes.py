"""What the engine asks for: one write each, with the pair as it is once that write was done."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.sides import Card, Field, Pair, Values


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """Make an item in the tool."""

    card: Card
    before: Pair | None = None
    """What was agreed about an item that was there before, and is made again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """Change an item in the tool; `changed` says what, and nothing else is touched."""

    pair: Pair
    card: Card
    changed: frozenset[Field]
    marks: bool
    """Whether our footer changes."""
    closes: bool
    vain: str = ""
    """How the pair is to remember that this changed nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Add:
    """Add a milestone for an item of the tool; Earnest knows it by the item's name if it comes twice."""

    external_id: str
    url: str | None
    values: Values
    amount: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Edit a planned milestone."""

    pair: Pair
    values: Values


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """Take a planned milestone out of the plan."""

    pair: Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class AskToAdd:
    """File a change request for a new milestone: for what was noted before, whatever the item says by now."""

    pair: Pair
    amount: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AskToEdit:
    """File a change request for other values."""

    pair: Pair
    values: Values


@dataclass(frozen=True, slots=True, kw_only=True)
class AskToRemove:
    """File a change request to take a milestone out."""

    pair: Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """Post an update: the tool calls it done."""

    pair: Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """Hand in the work: the tool calls it done."""

    pair: Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """Tell Earnest what the tool calls a milestone, for people to find it; an empty name if nothing there is it any more."""

    milestone_id: str
    external_id: str
    url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Only note that both sides say the same, or that nothing is to be done about a pair."""

    pair: Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget:
    """What was noted before something was asked for, and isn't needed any more."""

    milestone_id: str


Step = Create | Write | Add | Edit | Remove | AskToAdd | AskToEdit | AskToRemove | Tell | Submit | Name | Note | Forget
