"""What every command is, who gives it, and the one that nobody gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from escrow.rules import Action


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Something that may change one contract."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyCommand(Command):
    """What an account asks for: a party, a mediator or the operator. The table of rules has a row for its `action`."""

    action: ClassVar[Action]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Command):
    """What the payment provider says became of an order."""

    contract_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyDeadlines(Command):
    """Nothing but what is due anyway: the step that a sweep takes."""

    contract_id: str
