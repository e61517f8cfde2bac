"""Makes functions of the expressions that projections read rows by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from schema.compiled.declare import Projection, Ready


class ReadyValue:
    """A value that is already what the answer says, on its way through graphql-core."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


_made: dict[int, tuple[Projection, dict[str, Callable[[Any], Any]]]] = {}


def readers_of(projection: Projection) -> dict[str, Callable[[Any], Any]]:
    """For each field that rows answer, what reads it; values that are ready are marked."""
    known = _made.get(id(projection))
    if known is None:
        readers = {name: _reader(expression, projection) for name, expression in projection.fields.items()}
        _made[id(projection)] = known = (projection, readers)
    return known[1]


def _reader(expression: str | Ready, projection: Projection) -> Callable[[Any], Any]:
    if isinstance(expression, str):
        made: Callable[[Any], Any] = eval(f"lambda row: {expression}", dict(projection.names))  # noqa: S307 - the application's own
        return made
    plain = _reader(expression.expression, projection)

    def read(row: Any) -> ReadyValue | None:
        value = plain(row)
        return None if value is None else ReadyValue(value)

    return read
