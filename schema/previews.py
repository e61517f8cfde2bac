"""Builds `preview(command)`, a dry run of any mutation on a contract, from the inputs of those mutations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import strawberry
from strawberry.types.field import StrawberryField

from escrow.access import Scope
from escrow.agreement.commands import PartyCommand
from escrow.codec import camel
from escrow.errors import DomainError
from escrow.previews import Preview as Foreseen
from escrow.previews import preview
from schema.engine.context import Context
from schema.mutations import every
from schema.mutations.running import COMMAND, OnContract
from schema.types.previews import Preview


def _commands(fields: Iterable[StrawberryField]) -> dict[str, OnContract[Any]]:
    """What can be previewed, by the mutation's name in Python."""
    found = (field.metadata.get(COMMAND) for field in fields)
    return {asked.name: asked for asked in found if isinstance(asked, OnContract)}


COMMANDS: Final = _commands(every.ON_CONTRACTS)


def _command_input() -> type:
    """The input object with one member for each command, of which exactly one is given."""
    members: dict[str, Any] = {
        name: strawberry.field(default=strawberry.UNSET, description=f"`{camel(name)}` with this input.")
        for name, asked in COMMANDS.items()
    }
    hints = {name: asked.input_type | None for name, asked in COMMANDS.items()}
    made = type("CommandInput", (), {"__annotations__": hints, "__module__": __name__, **members})
    return strawberry.input(
        made, one_of=True, description="A command on a contract, exactly one, to be looked at first."
    )


CommandInput: Final[Any] = _command_input()


async def foresee(given: Any, context: Context) -> Preview:
    """What the command would do; reads what the command would read, and writes nothing."""
    actor = context.reader(Scope.CONTRACTS_READ)
    try:
        command = _command_of(given)
    except DomainError as refusal:
        return await Preview.of(Foreseen(before=None, after=None, recorded=(), refusal=refusal), context)
    return await Preview.of(await preview(command, by=actor), context)


def _command_of(given: Any) -> PartyCommand:
    ((asked, value),) = (
        (asked, value)
        for name, asked in COMMANDS.items()
        if (value := getattr(given, name)) is not strawberry.UNSET and value is not None
    )
    return asked.command_of(value)
