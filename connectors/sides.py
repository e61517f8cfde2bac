"""What the two sides of a coupling look like to the engine, and what was agreed between them last. Plain values, nothing else.

Texts are compared as `canonical` leaves them, so that a tool which trims or breaks lines otherwise changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Final

OVER: Final = frozenset({"RELEASED", "REFUNDED", "SETTLED", "CANCELLED"})
"""The states in which a milestone is closed for good."""


_UNSTORABLE: Final = re.compile(r"[\0\ud800-\udfff]")
"""U+0000, and halves of surrogate pairs, which JSON can bring along."""


class Field(StrEnum):
    """What both sides may change of a milestone. Amounts and states aren't among it: they are Earnest's alone."""

    TITLE = "title"
    PURPOSE = "purpose"
    DUE_ON = "due_on"


Values = Mapping[Field, str]
"""What a milestone says; dates as YYYY-MM-DD, empty where a side says nothing."""


def canonical(text: str | None) -> str:
    """A text as it is compared: lines end in one way, nothing stands at the ends of lines or of the whole, and all of it can
    be kept."""
    return "\n".join(line.rstrip() for line in storable(text or "").splitlines()).strip()


def storable(text: str) -> str:
    """What a tool said with a mark in place of each character that PostgreSQL keeps in no text."""
    return _UNSTORABLE.sub("\ufffd", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """A milestone as Earnest has it."""

    id: str
    values: Values
    facts: str
    """What is shown in the tool and never taken from it: the amount and the state."""
    updated_at: datetime
    position: int = 0
    """Its place in the order of its plan."""
    is_open: bool = True
    """Whether its plan may still be changed."""
    is_over: bool = False
    """Whether it is closed for good, dropped ones included."""
    is_dropped: bool = False
    """Whether it was cancelled, so that there is no work to do."""
    is_in_hand: bool = False
    """Whether work may be submitted for it now."""
    external_id: str | None = None
    """What Earnest was told that the tool calls it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OurSide:
    """A contract as Earnest has it."""

    items: Mapping[str, Ours]
    version: int
    today: date
    currency: str = ""
    takes_new: bool = True
    open_requests: frozenset[str] = frozenset()
    """The change requests that nobody has decided."""
    former: Mapping[str, Ours] = field(default_factory=dict)
    """Of the milestones that were noted those of earlier plans, which a counter-offer has replaced by another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A price that somebody wrote."""

    said: str
    """As it was written."""
    amount: str | None = None
    """None if what was written isn't a number, or a number and a currency."""
    currency: str | None = None
    """None if it is in the contract's."""

    def objection(self, currency: str) -> str | None:
        """Why nothing in a contract of a currency can have it; None if it can."""
        if self.amount is None:
            return f"{self.said!r} is no price; it must be like 1500.00, or 1500.00 {currency}"
        if self.currency not in {None, currency}:
            return f"the price is {self.said!r}, and the contract is in {currency}"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Theirs:
    """An item as the tool has it."""

    id: str
    values: Values
    mark: str | None = None
    """The milestone that our footer names."""
    facts: str | None = None
    price: Price | None = None
    """What the tool gives for a new item; of others it is not looked at."""
    is_done: bool = False
    updated_at: datetime | None = None
    url: str | None = None

    @property
    def says_over(self) -> bool:
        """Whether our line says that the milestone is over, so that it was us who closed it."""
        return (self.facts or "").rpartition(" ")[2] in OVER


@dataclass(frozen=True, slots=True, kw_only=True)
class TheirSide:
    """A project of the tool."""

    items: Mapping[str, Theirs]
    fields: frozenset[Field] = frozenset(Field)
    """What an item of this tool can say at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """An item as the tool is to have it."""

    values: Values
    mark: str
    facts: str
    is_done: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A milestone and an item that are one thing, and what both sides said when they last agreed."""

    milestone_id: str
    external_id: str
    """Empty once its item is gone for good: the name may come to be another's."""
    agreed: Values = field(default_factory=dict)
    done: bool = False
    """Whether the tool's “done” was seen and passed on."""
    dones: int = 0
    """How often it was: each is told once."""
    shown: Values = field(default_factory=dict)
    """What the tool made of what was agreed where it doesn't keep a text as it was written: that is no wish of anybody's."""
    proposed: Values = field(default_factory=dict)
    """What was asked for by a change request."""
    request_id: str | None = None
    asks_removal: bool = False
    """Whether that request was to take the milestone out, since its item was deleted."""
    proposals: int = 0
    """How often something was asked for; of what is to be asked for and has no name yet, what was noted before it."""
    amount: str = ""
    """For how much it is asked for while it has no name yet, whatever the item says by now."""
    refused: Values = field(default_factory=dict)
    """What Earnest refused: it stays in the tool, and isn't tried again until somebody changes it."""
    vain: str = ""
    """The last write to the tool that changed nothing there: it isn't repeated until either side says something else."""
    is_gone: bool = False
    """Whether it is left alone from now on: over here and deleted there, or declined."""


ASKED: Final = "asked:"
"""How a pair's milestone is called while it is asked for and has no name yet."""


class PlanLeave(StrEnum):
    """What a tool may do to the plan."""

    NONE = "none"
    ASK = "ask"
    """File change requests, which the other side accepts or declines."""
    EDIT = "edit"
    """Edit what is still planned, with a client's key."""


class DoneLeave(StrEnum):
    """What a tool's “done” comes to. Nothing of it approves: there is no word for that here."""

    IGNORE = "ignore"
    UPDATE = "update"
    SUBMIT = "submit"
    """Hand in the work, with a freelancer's key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Treaty:
    """What the tool may do in Earnest, as whoever set it up decided."""

    plan: PlanLeave = PlanLeave.NONE
    done: DoneLeave = DoneLeave.UPDATE
    removes: bool = False
    """Whether deleting an item takes its planned milestone out; else the item is made again."""
    new_amount: str | None = None
    """The price of what the tool adds, unless the tool says it; without either nothing is added."""
    new_due_days: int = 30
    """When that is due, unless the tool says it: in so many days."""
