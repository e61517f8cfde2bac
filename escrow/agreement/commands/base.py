"""What every command is, what it names and makes, who gives it, and the one that nobody gives."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, ClassVar, Final

from escrow.agreement.state import Contract
from escrow.rules import Action
from escrow.values import Value

Made = Annotated[str, "made"]
"""The identifier of something that the command makes; every other one names something that is there."""


class Command(Value):
    """Something that may change one contract."""

    @cached_property
    def named(self) -> Mapping[str, str | None]:
        """The identifiers that it names, by the names of their fields: what must be loaded for it."""
        return {name: getattr(self, name) for name, is_made in _identifiers(type(self)).items() if not is_made}

    @property
    def milestone_ids(self) -> tuple[str, ...]:
        """More milestones that it is about, which need not be of the current revision."""
        return ()

    def result(self, after: Contract) -> dict[str, str]:
        """The ids that the answer is about, by name: what the command names and makes. Stored with an idempotency key."""
        found = {name: getattr(self, name) for name in _identifiers(type(self))}
        return {name: value for name, value in found.items() if value is not None} | {"contract_id": after.id}


def _identifiers(command: type[Command]) -> Mapping[str, bool]:
    """The fields that hold an identifier, and whether it is of something that the command makes."""
    if command not in _known:
        hints = typing.get_type_hints(command, include_extras=True)
        _known[command] = {name: _is_made(hint) for name, hint in hints.items() if name.endswith("_id")}
    return _known[command]


_known: Final[dict[type[Command], Mapping[str, bool]]] = {}


def _is_made(hint: object) -> bool:
    return hint == Made or Made in typing.get_args(hint)


class PartyCommand(Command):
    """What an account asks for: a party, a mediator or the operator. The table of rules has a row for its `action`."""

    action: ClassVar[Action]


class Report(Command):
    """What the payment provider says became of an order."""

    contract_id: str


class ApplyDeadlines(Command):
    """Nothing but what is due anyway: the step that a sweep takes."""

    contract_id: str
