"""Maps the objects of one class to the rows of one table and back, as the class and the table's model say it.

How is found out once for each table, when the process starts. A column holds the field of its name; a part of an object,
such as its fees, lies in the columns `<part>_<field>`, or `<field>` where there is none of that name; a column that the
object has no field for is a property of it, or its owner's (`contract_id`, `currency`). What is left over on either side is a
`TypeError`. A row is a plain mapping that compares equal to what the database gives.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar, Union, cast

import orjson
from tortoise.fields import Field, JSONField
from tortoise.models import Model

from escrow.models.facts import columns_of, facts_of, key_of, table_of
from escrow.money import Money

T = TypeVar("T")

Row = dict[str, Any]
Clocks = Mapping[str, datetime]
"""When the first clock ends that an object waits for, by its identifier."""

DEADLINE: Final = "deadline_at"
"""The column, in any table that has it, for the end of the first clock that the row's object waits for."""


class Mapper(Generic[T]):
    """The objects of a class as the rows of a table that belong to an owner.

    `named` has the columns that are called otherwise, by the field of a part.
    """

    def __init__(
        self, kind: type[T], model: type[Model], *, owner: type, named: Mapping[str, str] | None = None
    ) -> None:
        facts = facts_of(model)
        kinds = {name: column for name, column in columns_of(model).items() if name not in facts.apart}
        shape = _shape(kind, kinds, named or {})
        values = shape.values("one") | ({DEADLINE: f"clocks.get(one.{key_of(model)[0]})"} if DEADLINE in kinds else {})
        others = [name for name in kinds if name not in values]
        derived = {name: f"one.{name}" for name in others if hasattr(kind, name)}
        of_owner = {name: f"owner.{_of_owner(owner, name)}" for name in others if name not in derived}
        fixed = {*key_of(model), *facts.fixed, *of_owner}

        self.table: Final = table_of(model)
        self.key: Final = key_of(model)
        self.words: Final = facts.words
        """The columns that hold people's words."""
        self.columns: Final = tuple(kinds)
        """The columns of an object's row, in the model's order."""
        self.loaded: Final = tuple(
            name for name in kinds if name in shape.columns() or of_owner.get(name) == "owner.id"
        )
        """The columns that an object is made of, and its owner's name."""
        self.updated: Final = () if facts.is_added_only else tuple(name for name in kinds if name not in fixed)
        """The columns that may change once a row is there."""
        self.json_columns: Final = frozenset(name for name, column in kinds.items() if isinstance(column, JSONField))
        self.is_clocked: Final = DEADLINE in kinds
        """Whether its rows tell when the first clock ends that they wait for."""
        self.read: Final[Callable[..., T]] = _reader(shape, self.loaded)
        """The object of values that begin with those of `loaded`; what lies in other tables is given to it by name."""
        self.row: Final[Callable[[T, object, Clocks], Row]] = _writer(shape, values | derived | of_owner)
        """The row of an object, of its owner, and of the clocks that run."""
        self._types: Final = {name: column.get_for_dialect("postgres", "SQL_TYPE") for name, column in kinds.items()}

    def select(self, of: str) -> str:
        """The columns that `read` begins with, as SQL, of the row called `of`."""
        return ", ".join(f"{of}.{name}" for name in self.loaded)

    def typed(self, names: Iterable[str]) -> str:
        """Columns with their types, as `json_to_recordset` wants them."""
        return ", ".join(f"{name} {self._types[name]}" for name in names)

    def upsert(self, *, guard: str, parameter: str) -> str:
        """A CTE that writes rows given as JSON, if the CTE `guard` has its one row; of a row that is there only the columns
        of `updated` change, if any may."""
        assigned = ", ".join(f"{column} = EXCLUDED.{column}" for column in self.updated)
        conflict = f"ON CONFLICT ({', '.join(self.key)}) DO UPDATE SET {assigned}" if assigned else ""
        return f"""
    in_{self.table} AS (
        INSERT INTO {self.table} ({", ".join(self.columns)})
        SELECT given.* FROM {guard}, json_to_recordset({parameter}::json) AS given ({self.typed(self.columns)})
        {conflict}
    )"""  # noqa: S608 - only our own columns and a number of a parameter are filled in


def _of_owner(owner: type, column: str) -> str:
    """The owner's attribute that a column holds."""
    if column == f"{owner.__name__.lower()}_id":
        return "id"
    if column not in _hints(owner):
        raise TypeError(f"nothing says what the column {column} holds")
    return column


# --- which column is which field -------------------------------------------------------------------------------------

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
class _Shape:
    """A class, or the part of an object that is of that class, and where its fields lie; those in other tables are left out."""

    kind: type
    fields: Mapping[str, _Column | _Shape]
    is_optional: bool = False

    def columns(self) -> tuple[str, ...]:
        return tuple(column for field in self.fields.values() for column in field.columns())

    def values(self, one: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, field in self.fields.items():
            found |= field.values(f"{one}.{name}")
        return (
            {name: f"None if {one} is None else {value}" for name, value in found.items()}
            if self.is_optional
            else found
        )

    def made(self, place: Mapping[str, str], *further: str) -> str:
        arguments = [f"{name}={field.made(place)}" for name, field in self.fields.items()]
        made = f"{self.kind.__name__}({', '.join([*arguments, *further])})"
        # A part is missing where the first of its columns is empty.
        return f"None if {place[self.columns()[0]]} is None else {made}" if self.is_optional else made

    def names(self) -> dict[str, Any]:
        found: dict[str, Any] = {self.kind.__name__: self.kind}
        for field in self.fields.values():
            found |= field.names()
        return found


def _shape(
    kind: type, kinds: Mapping[str, Field[Any]], named: Mapping[str, str], *, part: str = "", is_optional: bool = False
) -> _Shape:
    found: dict[str, _Column | _Shape] = {}
    for name, hint in _hints(kind).items():
        inner, may_be_none = _required(hint)
        column = next((one for one in (f"{part}{name}", name, named.get(name, "")) if one in kinds), None)
        if column is not None:
            codes = _list_codes(inner) if isinstance(kinds[column], JSONField) else _codes(inner)
            found[name] = _Column(column, may_be_none, *codes)
        elif is_dataclass(inner):
            found[name] = _shape(cast("type", inner), kinds, named, part=f"{name}_", is_optional=may_be_none)
        elif typing.get_origin(inner) is None:
            raise TypeError(f"{kind.__name__}.{name} has no column")
    return _Shape(kind, found, is_optional)


def _hints(kind: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _required(hint: Any) -> tuple[Any, bool]:
    """A type without its `None`, and whether it had one."""
    if typing.get_origin(hint) not in (Union, types.UnionType):
        return hint, False
    (inner,) = (option for option in typing.get_args(hint) if option is not types.NoneType)
    return inner, True


# --- values ----------------------------------------------------------------------------------------------------------

_Codes = tuple[_Code | None, _Code | None]
"""How a value is turned into what the database takes, and how what it gives is turned back; `None` for as it is."""


def _codes(hint: Any) -> _Codes:
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return str, {member.value: member for member in hint}.__getitem__
    return (list, tuple) if typing.get_origin(hint) is tuple else (None, None)


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
    for name, hint in _hints(kind).items():
        inner, may_be_none = _required(hint)
        columns[name] = _Column(name, may_be_none, *(_WIRE.get(inner) or _codes(inner)))
    decoded = {name: column.decode for name, column in columns.items() if column.decode is not None}

    def decode(item: Row) -> Any:
        # A field that came later is as usual in what was written before.
        found = {name: code(item[name]) for name, code in decoded.items() if item.get(name) is not None}
        return kind(**(item | found))

    shape = _Shape(kind, columns)
    encode = _compiled(f"lambda one: {_dict(shape.values('one'))}", shape)
    return encode, decode if decoded else lambda item: kind(**item)


_WIRE: Final[Mapping[type, _Codes]] = {
    Money: (Money.wire, Money.from_wire),
    date: (date.isoformat, date.fromisoformat),
}


# --- functions -------------------------------------------------------------------------------------------------------


def _reader(shape: _Shape, columns: Sequence[str]) -> Callable[..., Any]:
    place = {name: f"values[{index}]" for index, name in enumerate(columns)}
    return _compiled(f"lambda values, **beside: {shape.made(place, '**beside')}", shape)


def _writer(shape: _Shape, values: Mapping[str, str]) -> Callable[..., Row]:
    return _compiled(f"lambda one, owner, clocks: {_dict(values)}", shape)


def _dict(values: Mapping[str, str]) -> str:
    return f"{{{', '.join(f'{name!r}: {value}' for name, value in values.items())}}}"


def _compiled(expression: str, shape: _Shape) -> Callable[..., Any]:
    """The function that an expression is: walking through the fields each time would take longer than all the rest."""
    function: Callable[..., Any] = eval(expression, shape.names())  # noqa: S307 - made of our own classes and models alone
    return function
