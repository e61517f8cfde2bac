"""Declares `@idempotent(key: "…")` on a mutation, and reads the key from the node of the field.

The directive has no resolver: Strawberry would wrap every field of every operation for one that has.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Any

import strawberry
from graphql import GraphQLError, StringValueNode, VariableNode
from strawberry.directive import DirectiveLocation

from escrow.codec import camel
from schema.engine.context import Info


@strawberry.directive(
    locations=[DirectiveLocation.FIELD],
    name="idempotent",
    description=(
        "Makes a mutation safe to repeat. The same key and input answer with the first result's objects as they are now, "
        "and `extensions.idempotentReplay` lists the paths; the same key with another input is refused. Keys belong to "
        "the account. A refused mutation stores nothing, so it may be tried again with the same key."
    ),
)
def idempotent(
    key: Annotated[
        str, strawberry.argument(description="Any text of 1 to 255 printable characters that names this one intention.")
    ],
) -> None:
    """Declared only; `key_of` reads it."""


def key_of(info: Info) -> str | None:
    """The idempotency key that came with this field, if one did."""
    raw: Any = info._raw_info  # noqa: SLF001 - Strawberry's own view of directives converts the whole selection
    for node in raw.field_nodes:
        for directive in node.directives or ():
            if directive.name.value == "idempotent":
                (argument,) = directive.arguments
                return _text(argument.value, raw.variable_values)
    return None


def _text(value: Any, variables: Mapping[str, Any]) -> str:
    """The argument's value; validation has seen to it that it is a text or a variable of that type."""
    if isinstance(value, VariableNode):
        given = variables.get(value.name.value)
        if isinstance(given, str):
            return given
    elif isinstance(value, StringValueNode):
        return value.value
    raise GraphQLError("The key of @idempotent is missing.", extensions={"code": "BAD_REQUEST"})


def plain(value: Any) -> Any:
    """An input as JSON values under the names that the API gives them: what an idempotency key is compared by."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {camel(field.name): plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, Enum):
        return value.value
    return value if isinstance(value, str | int | bool | None) else str(value)
