"""Declares fields that a function answers, by Strawberry's decorator, typed; a plain attribute needs none of this."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from typing import Any, cast

import strawberry
from strawberry.types.field import StrawberryField

from escrow.access import Scope
from schema.compiled.declare import BATCH, Batch, Load
from schema.engine.context import Context, Info


def optional(description: str) -> Any:
    """A plain field that is null unless it is given."""
    return strawberry.field(default=None, description=description)


def after(what: str) -> Any:
    """What a payload shows as it is after the mutation."""
    return optional(f"{what}; null if the mutation was refused.")


def after_conflicts(what: str) -> Any:
    """The same, of what also a conflict of versions shows as it is."""
    return optional(f"{what}; null if refused, but as it is after a VERSION_CONFLICT for keys that may read.")


def resolved(description: str) -> Callable[[Callable[..., Any]], StrawberryField]:
    """A field whose value the function below it gives."""
    return cast("Callable[[Callable[..., Any]], StrawberryField]", strawberry.field(description=description))


def subscribed(description: str) -> Callable[[Callable[..., Any]], StrawberryField]:
    """A field of the subscriptions; the function below it gives its source stream."""
    return cast("Callable[[Callable[..., Any]], StrawberryField]", strawberry.subscription(description=description))


def read(description: str, *, scope: Scope = Scope.CONTRACTS_READ) -> Callable[[Callable[..., Any]], StrawberryField]:
    """A field of a contract, or of what belongs to one, that the function below it reads from the database.

    The key must be made for reading contracts, or for what else is named, also where the field hangs on the payload of a
    mutation. If the function has a batch, it is guarded alike.
    """

    def make(load: Callable[..., Any]) -> StrawberryField:
        @wraps(load)
        def guarded(self: object, info: Info, **arguments: Any) -> Any:
            info.context.reader(scope)
            return load(self, info, **arguments)

        batch: Batch | None = getattr(load, BATCH, None)
        if batch is not None:
            setattr(guarded, BATCH, replace(batch, load=_guarded(batch.load, scope)))
        return resolved(description)(guarded)

    return make


def _guarded(load: Load, scope: Scope) -> Load:
    @wraps(load)
    async def guarded(parents: Sequence[Any], context: Context, **arguments: Any) -> Sequence[Any]:
        context.reader(scope)
        return await load(parents, context, **arguments)

    return guarded
