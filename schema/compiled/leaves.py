"""Writes the code that makes of a leaf's value what the answer says, for the values that are usual for its type.

Whatever else a value is goes to an exact function, which answers as graphql-core does or gives up, so that graphql-core
itself says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLString,
    Undefined,
)

from schema.compiled.adapters.core import Adapter


class Unusual(Exception):
    """Generated code met something that only graphql-core can judge."""


def give_up(*_: Any) -> Any:
    """Leave it to graphql-core."""
    raise Unusual


_AS_IT_IS: Final[dict[Any, tuple[type, str]]] = {
    GraphQLString: (str, ""),
    GraphQLID: (str, ""),
    GraphQLBoolean: (bool, ""),
    GraphQLInt: (int, " or not -2147483648 <= {v} <= 2147483647"),
    GraphQLFloat: (float, " or {v} - {v} != 0.0"),
}
"""Types whose usual values are written as they are: their class, and what else is asked of them."""

Constant = Callable[[Any, str], str]


class Leaves:
    """Writes for one schema; what it hands to generated code is made once for each type."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        self._exact: dict[Any, Callable[[Any], Any]] = {}
        self._members: dict[Any, dict[Any, str]] = {}

    def lines(self, type_: Any, variable: str, *, is_nullable: bool, constant: Constant) -> Iterator[str]:
        """Statements that replace the value in a variable by its written form."""
        exact = f"{variable} = {constant(self._exact_of(type_), 'x')}({variable})"
        plain = _AS_IT_IS.get(type_)
        if plain is None and getattr(type_, "coerce_output_value", None) is str:
            plain = (str, "")
        if plain is not None:
            wrong = f"{variable}.__class__ is not {plain[0].__name__}{plain[1].format(v=variable)}"
            yield f"if {variable} is not None and ({wrong}): {exact}" if is_nullable else f"if {wrong}: {exact}"
            return
        usual = list(self._usual(type_, variable, constant))
        yield from usual
        otherwise = f"if {variable} is not None: {exact}" if is_nullable else f"else: {exact}" if usual else exact
        yield f"el{otherwise}" if usual and is_nullable else otherwise

    def _usual(self, type_: Any, variable: str, constant: Constant) -> Iterator[str]:
        """The same for values of the one class that is usual, if there is one."""
        if isinstance(type_, GraphQLEnumType):
            members = self._members_of(type_)
            if members:
                yield f"if {variable}.__class__ is {constant(self._adapter.enum_class(type_), 't')}:"
                yield f"    {variable} = {constant(members, 'e')}[{variable}]"
            return
        cls = self._adapter.scalar_class(type_)
        if cls is not None:
            yield f"if {variable}.__class__ is {constant(cls, 't')}:"
            yield f"    {variable} = {constant(type_.coerce_output_value, 'w')}({variable})"
            yield f"    if {variable} is None or {variable} is {constant(Undefined, 'u')}: give_up()"

    def _members_of(self, type_: Any) -> dict[Any, str]:
        """What each member of an enum is written as; empty if there is no Python enum behind it."""
        known = self._members.get(type_)
        if known is None:
            self._members[type_] = known = dict(_written(type_, self._adapter.enum_class(type_)))
        return known

    def _exact_of(self, type_: Any) -> Callable[[Any], Any]:
        known = self._exact.get(type_)
        if known is None:
            self._exact[type_] = known = _exact(type_)
        return known


def _written(type_: Any, cls: Any) -> Iterator[tuple[Any, str]]:
    for member in cls or ():
        try:
            yield member, type_.coerce_output_value(member)
        except Exception:  # noqa: BLE001, S112 - the member has no name in the schema: whoever meets it gives up
            continue


def _exact(type_: Any) -> Callable[[Any], Any]:
    """What graphql-core makes of any value; gives up where it has something to complain of, or to await."""
    write = type_.coerce_output_value

    def exact(value: Any) -> Any:
        if value is None or value is Undefined or isinstance(value, Exception) or hasattr(value, "__await__"):
            raise Unusual
        written = write(value)
        if written is None or written is Undefined:
            raise Unusual
        return written

    return exact
