"""Finds out which column holds which field of a class, and compiles what makes rows of objects and objects of rows.

The rule by which it goes stands in `escrow.store.mapping`.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final, Union, cast

import orjson
from tortoise.fields import Field, JSONField

from escrow.money import Money
from escrow.values import UNLESS_NONE, maker

Row = dict[str, Any]
_Code = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Column:
    """A field that lies in one column, and how it gets there and back, if not as it is."""

    name: str
    is_optional: bool
    encode: _Code | None = None
    decode: _Code | None = None

    def columns(self) -> tuple[str, ...]:
        return (self.name,)

    def values(self, value: str) -> dict[str, str]:
        """The expression for the value in the column, of that for the field's."""
        return {self.name: self._coded(f"encode_{self.name}({value})", value) if self.encode else value}

    def made(self, place: Mapping[str, str]) -> str:
        """The expression for the field's value, of that for the value in each column."""
        value = place[self.name]
        return self._coded(f"decode_{self.name}({value})", value) if self.decode else value

    def names(self) -> dict[str, Any]:
        """What the expressions speak of."""
        return {f"encode_{self.name}": self.encode, f"decode_{self.name}": self.decode}

    def _coded(self, coded: str, value: str) -> str:
        return f"None if {value} is None else {coded}" if self.is_optional else coded


@dataclass(frozen=True, slots=True)
class Shape:
    """A class, or the part of an object that is of that class, and where its fields lie; those in other tables are left out."""

    kind: type
    fields: Mapping[str, _Column | Shape]
    is_optional: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether all fields of the class lie in the columns, so that nothing is left for its own `__init__` to fill in."""
        return list(self.fields) == list(hints_of(self.kind))

    def columns(self) -> tuple[str, ...]:
        return tuple(column for field in self.fields.values() for column in field.columns())

    def values(self, one: str) -> dict[str, str]:
        unless = f"None if {one} is None else " if self.is_optional else ""
        inner = [field.values(f"{one}.{name}") for name, field in self.fields.items()]
        return {column: f"{unless}{value}" for values in inner for column, value in values.items()}

    def made(self, place: Mapping[str, str], *further: str) -> str:
        values = {name: field.made(place) for name, field in self.fields.items()}
        if self.is_whole:
            made = f"make_{self.kind.__name__}({', '.join(values.values())})"
        else:
            arguments = [*(f"{name}={value}" for name, value in values.items()), *further]
            made = f"{self.kind.__name__}({', '.join(arguments)})"
        # A part is missing where the first of its columns is empty.
        return f"None if {place[self.columns()[0]]} is None else {made}" if self.is_optional else made

    def names(self) -> dict[str, Any]:
        found: dict[str, Any] = {self.kind.__name__: self.kind, f"make_{self.kind.__name__}": maker(self.kind)}
        for field in self.fields.values():
            found |= field.names()
        return found


def shape_of(
    kind: type, kinds: Mapping[str, Field[Any]], named: Mapping[str, str], *, part: str = "", is_optional: bool = False
) -> Shape:
    """The shape of a class in a table of those columns; `part` begins the names of columns. Raises `TypeError` for a field that
    has none, unless it is a collection: that lies in another table."""
    found: dict[str, _Column | Shape] = {}
    for name, hint in hints_of(kind).items():
        inner, may_be_none = required(hint)
        column = next((one for one in (f"{part}{name}", name, named.get(name, "")) if one in kinds), None)
        if column is not None:
            codes = _list_codes(inner) if isinstance(kinds[column], JSONField) else _codes(inner)
            found[name] = _Column(column, may_be_none, *codes)
        elif is_dataclass(inner):
            found[name] = shape_of(cast("type", inner), kinds, named, part=f"{name}_", is_optional=may_be_none)
        elif typing.get_origin(inner) is None:
            raise TypeError(f"{kind.__name__}.{name} has no column")
    return Shape(kind, found, is_optional)


def hints_of(kind: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def required(hint: Any) -> tuple[Any, bool]:
    """A type without its `None`, and whether it had one."""
    if typing.get_origin(hint) not in (Union, types.UnionType):
        return hint, False
    (inner,) = (option for option in typing.get_args(hint) if option is not types.NoneType)
    return inner, True


# --- values ----------------------------------------------------------------------------------------------------------

_Codes = tuple[_Code | None, _Code | None]
"""How a value is turned into what the database takes, and how what it gives is turned back; `None` for as it is."""


def _codes(hint: Any) -> _Codes:
    if _is_words(hint):
        return str, {member.value: member for member in hint}.__getitem__
    if typing.get_origin(hint) is not tuple:
        return None, None
    kind = typing.get_args(hint)[0]
    if not _is_words(kind):
        return list, tuple
    members = {member.value: member for member in kind}
    return lambda values: [str(one) for one in values], lambda values: tuple([members[one] for one in values])


def _is_words(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, StrEnum)


def _list_codes(hint: Any) -> _Codes:
    """Of a list of objects in a column of JSON, which the driver gives as text."""
    encode, decode = _item_codes(typing.get_args(hint)[0])

    def read(text: str) -> tuple[Any, ...]:
        # Most lists are empty, such as what a planned milestone holds.
        return () if text == "[]" else tuple([decode(item) for item in orjson.loads(text)])

    return lambda values: [encode(one) for one in values], read


def _item_codes(kind: type) -> tuple[_Code, _Code]:
    """Of an object within JSON: its fields by their names, money and dates in them as on the wire."""
    columns = {}
    for name, hint in hints_of(kind).items():
        inner, may_be_none = required(hint)
        columns[name] = _Column(name, may_be_none, *(_WIRE.get(inner) or _codes(inner)))
    decoded = {name: column.decode for name, column in columns.items() if column.decode is not None}

    def decode(item: Row) -> Any:
        # A field that came later is as usual in what was written before.
        found = {name: code(item[name]) for name, code in decoded.items() if item.get(name) is not None}
        return kind(**(item | found))

    shape = Shape(kind, columns)
    encode = _compiled(f"lambda one: {_dict(shape.values('one'))}", shape)
    late = [one.name for one in fields(cast("Any", kind)) if UNLESS_NONE.items() <= one.metadata.items()]
    return _without(late, encode) if late else encode, decode if decoded else lambda item: kind(**item)


def _without(late: Sequence[str], encode: _Code) -> _Code:
    """The same, but for those of the fields that came later and are `None`."""

    def written(one: Any) -> Row:
        row: Row = encode(one)
        return {name: value for name, value in row.items() if value is not None or name not in late}

    return written


_WIRE: Final[Mapping[type, _Codes]] = {
    Money: (Money.wire, Money.from_wire),
    date: (date.isoformat, date.fromisoformat),
    datetime: (datetime.isoformat, datetime.fromisoformat),
}


# --- functions -------------------------------------------------------------------------------------------------------


def reader(shape: Shape, columns: Sequence[str]) -> Callable[..., Any]:
    place = {name: f"values[{index}]" for index, name in enumerate(columns)}
    beside = "" if shape.is_whole else ", **beside"
    return _compiled(f"lambda values{beside}: {shape.made(place, '**beside')}", shape)


def writer(shape: Shape, values: Mapping[str, str], **beside: Callable[[], Any]) -> Callable[..., Row]:
    """`beside` has the functions that the values speak of beside the object, its owner and the clocks."""
    return _compiled(f"lambda one, owner, clocks: {_dict(values)}", shape, beside)


def _dict(values: Mapping[str, str]) -> str:
    return f"{{{', '.join(f'{name!r}: {value}' for name, value in values.items())}}}"


def _compiled(
    expression: str, shape: Shape, beside: Mapping[str, Callable[[], Any]] | None = None
) -> Callable[..., Any]:
    """The function that an expression is: walking through the fields each time would take longer than all the rest."""
    function: Callable[..., Any] = eval(expression, {**shape.names(), **(beside or {})})  # noqa: S307 - made of our own classes and models alone
    return function
