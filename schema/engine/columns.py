"""Declares, once, where the plain fields of a type come from: objects are made by it of the domain's, and answers of rows.

A plain field is the field of its name of the domain's object, or stands beside it, such as the currency of the contract.
`column` says so where it is called otherwise there, or made of several:

    amount: Money = column("Its price.", "amount_minor", "currency", make=money_of)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import strawberry
from strawberry.types.private import is_private
from strawberry.utils.str_converters import to_camel_case
from tortoise import fields

from escrow.codec import print_date, print_time
from escrow.database import Record
from escrow.queries.reading import Reading, Selections
from escrow.store.mapping import Mapper
from schema.compiled.declare import Projection, Ready, Selected, project

_SOURCE: Final = "source"

READINGS_KEPT_MAX: Final = 256
"""Selections whose columns are known at once; those of others are found out each time."""

_WRITTEN: Final[Mapping[type, str]] = {
    fields.CharField: "{}",
    fields.TextField: "{}",
    fields.IntField: "{}",
    fields.BooleanField: "{}",
    fields.DatetimeField: "print_time({})",
    fields.DateField: "print_date({})",
}
"""How values of columns are written in answers; those of other columns are left to the scalars of their fields."""


@dataclass(frozen=True, slots=True)
class _Source:
    """What a field is made of: the names of the domain's fields, or of what stands beside, and by which function."""

    names: tuple[str, ...]
    make: Callable[..., Any] | None = None


def column(description: str, *names: str, make: Callable[..., Any] | None = None) -> Any:
    """A plain field that is called otherwise in the domain, or that `make` makes of what is called so there."""
    return strawberry.field(description=description, metadata={_SOURCE: _Source(names, make)})


class Stored:
    """A type whose objects are made of a domain's objects, and stood for by rows of their table.

    `beside` has what else fields are made of, with its type. Rows also answer the fields of `batches`, whose loads need the
    columns that are named. Refuses with `TypeError` a plain field that comes from nowhere.
    """

    def __init__(
        self,
        cls: type,
        mapper: Mapper[Any],
        rows: Selections,
        *,
        beside: Mapping[str, type],
        batches: Mapping[str, tuple[str, ...]],
        row_classes: tuple[type, ...] = (Record,),
    ) -> None:
        self._mapper, self._rows, self._beside = mapper, rows, beside
        self._readings: Final[dict[frozenset[str], Reading[Record]]] = {}
        sources = _sources(cls)
        self._check(cls, sources)
        self.make: Final = self._maker(cls, sources)
        """An object of the type, of the domain's object and what stands beside it, in order; the rest is given by name."""
        plain = {to_camel_case(name): self._columns_of(source) for name, source in sources.items()}
        self._columns: Final = {**plain, **batches}
        names: dict[str, Any] = {"print_date": print_date, "print_time": print_time}
        read = {to_camel_case(name): self._read(name, source, names) for name, source in sources.items()}
        project(cls, Projection(rows=row_classes, fields=read, names=names, batches=frozenset(batches)))

    def reading(self, selected: Selected) -> Reading[Record]:
        """The columns that answer what is selected."""
        known = self._readings.get(selected.fields)
        if known is None:
            columns = frozenset({"id"}.union(*[self._columns[name] for name in selected.fields]))
            known = self._rows.reading(columns)
            if len(self._readings) < READINGS_KEPT_MAX:
                self._readings[selected.fields] = known
        return known

    def _check(self, cls: type, sources: Mapping[str, _Source]) -> None:
        for name, source in sources.items():
            unknown = [one for one in source.names if not self._mapper.holds(one) and one not in self._beside]
            if unknown:
                raise TypeError(f"{cls.__name__}.{name} would be made of {', '.join(unknown)}, which is nowhere")

    def _columns_of(self, source: _Source) -> tuple[str, ...]:
        found = (self._mapper.columns_of(name) if self._mapper.holds(name) else (name,) for name in source.names)
        return tuple(column for columns in found for column in columns)

    def _maker(self, cls: type, sources: Mapping[str, _Source]) -> Callable[..., Any]:
        names: dict[str, Any] = {"cls": cls}
        given = []
        for name, source in sources.items():
            values = ", ".join(f"one.{one}" if self._mapper.holds(one) else one for one in source.names)
            given.append(f"{name}=make_{name}({values})" if source.make is not None else f"{name}={values}")
            names[f"make_{name}"] = source.make
        made: Callable[..., Any] = eval(  # noqa: S307 - of our own names alone
            f"lambda one, {', '.join(self._beside)}, **more: cls({', '.join(given)}, **more)", names
        )
        return made

    # -- rows -----------------------------------------------------------------------------------------------------

    def _read(self, name: str, source: _Source, names: dict[str, Any]) -> str | Ready:
        """The expression by which a row answers a field; what it speaks of is added to `names`."""
        if len(source.names) == 1 and source.make in (None, list):
            ready = self._ready(source.names[0])
            if ready is not None:
                return Ready(ready)
        values = []
        for one in source.names:
            values.append(self._mapper.expression(one, "row") if self._mapper.holds(one) else f"row[{one!r}]")
            names |= self._mapper.named(one) if self._mapper.holds(one) else {}
        if source.make is None:
            return values[0]
        names[f"make_{name}"] = source.make
        return f"make_{name}({', '.join(values)})"

    def _ready(self, name: str) -> str | None:
        """The expression for what an answer says of a single column, if its type alone tells."""
        if not self._mapper.holds(name):
            return f"row[{name!r}]" if self._beside[name] is str else None
        columns = self._mapper.columns_of(name)
        if len(columns) > 1:
            return None
        value, kind = f"row[{columns[0]!r}]", self._mapper.kinds[columns[0]]
        form = "{}" if _is_stored_as_written(self._mapper.hints[name]) else _WRITTEN.get(type(kind))
        if form is None or form == "{}":
            return value if form else None
        return f"{form.format(value)} if {value} is not None else None" if kind.null else form.format(value)


def _is_stored_as_written(hint: Any) -> bool:
    """Whether a value that isn't plain text lies in its column just as an answer writes it: enumerations, lists of texts."""
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return all(member.name == member.value for member in hint)
    return bool(hint == tuple[str, ...])


def _sources(cls: Any) -> dict[str, _Source]:
    """The plain fields of a type by name, and what each is made of."""
    plain = (field for field in cls.__strawberry_definition__.fields if field.base_resolver is None)
    plain = (field for field in plain if not is_private(field.type))
    return {field.python_name: field.metadata.get(_SOURCE) or _Source((field.python_name,)) for field in plain}
