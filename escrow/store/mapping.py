"""Maps the objects of one class to the rows of one table and back, as the class and the table's model say it.

How is found out once for each table, when the process starts. A column holds the field of its name; a part of an object,
such as its fees, lies in the columns `<part>_<field>`, or `<field>` where there is none of that name; a column that the
object has no field for is a property of it, or its owner's (`contract_id`, `currency`). What is left over on either side is a
`TypeError`. A row is a plain mapping that compares equal to what the database gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from tortoise.fields import Field, JSONField
from tortoise.models import Model

from escrow import traces
from escrow.models.facts import columns_of, facts_of, key_of, table_of
from escrow.placement import key_across_shards
from escrow.store.shapes import Row, hints_of, reader, required, shape_of, writer

T = TypeVar("T")

Clocks = Mapping[str, datetime]
"""When the first clock ends that an object waits for, by its identifier."""

DEADLINE: Final = "deadline_at"
"""The column, in any table that has it, for the end of the first clock that the row's object waits for."""

TRACE: Final = "trace"
"""The column, in any table that has it, for the trace of the work that made the row."""


class Mapper(Generic[T]):
    """The objects of a class as the rows of a table that belong to an owner.

    `named` has the columns that are called otherwise, by the field of a part.
    """

    def __init__(
        self, kind: type[T], model: type[Model], *, owner: type, named: Mapping[str, str] | None = None
    ) -> None:
        facts = facts_of(model)
        columns = {name: column for name, column in columns_of(model).items() if name not in facts.apart}
        shape = shape_of(kind, columns, named or {})
        own = shape.values("one")
        values = own | {name: _beside(name, kind, owner) for name in columns if name not in own}
        fixed = {*key_of(model), *facts.fixed, *(name for name, value in values.items() if value.startswith("owner."))}

        self.table: Final = table_of(model)
        self.key: Final = key_of(model)
        self.owned_by: Final = _owner_column(owner)
        """The column that names the owner."""
        self.words: Final = facts.words
        """The columns that hold people's words."""
        self.columns: Final = tuple(columns)
        """The columns of an object's row, in the model's order."""
        self.lasting: Final = tuple(name for name in columns if name not in facts.passing)
        """Those of them that hold what the log says."""
        self.loaded: Final = tuple(name for name in columns if name in own or values[name] == "owner.id")
        """The columns that an object is made of, and its owner's name."""
        self.updated: Final = () if facts.is_added_only else tuple(name for name in columns if name not in fixed)
        """The columns that may change once a row is there."""
        self.json_columns: Final = frozenset(name for name, one in columns.items() if isinstance(one, JSONField))
        self.is_clocked: Final = DEADLINE in columns
        """Whether its rows tell when the first clock ends that they wait for."""
        self.read: Final[Callable[..., T]] = reader(shape, self.loaded)
        """The object of values that begin with those of `loaded`; what lies in other tables is given to it by name."""
        self.row: Final[Callable[[T, object, Clocks], Row]] = writer(shape, values, present_trace=traces.kept)
        """The row of an object, of its owner, and of the clocks that run."""
        self.kinds: Final[Mapping[str, Field[Any]]] = columns
        """The columns of an object's row with their types."""
        self.hints: Final = {name: required(hint)[0] for name, hint in hints_of(kind).items()}
        """The types of the object's fields, without `None`."""
        self._shape: Final = shape
        self._types: Final = {name: one.get_for_dialect("postgres", "SQL_TYPE") for name, one in columns.items()}

    def holds(self, name: str) -> bool:
        """Whether a field of the object lies in columns of the table."""
        return name in self._shape.fields

    def columns_of(self, name: str) -> tuple[str, ...]:
        """The columns in which a field of the object lies."""
        return self._shape.fields[name].columns()

    def expression(self, name: str, of: str) -> str:
        """A Python expression for a field of the object whose row, with its columns by name, is called `of`."""
        field = self._shape.fields[name]
        return field.made({column: f"{of}[{column!r}]" for column in field.columns()})

    def named(self, name: str) -> dict[str, Any]:
        """What the `expression` of a field speaks of beside the row."""
        return self._shape.fields[name].names()

    def select(self, of: str) -> str:
        """The columns that `read` begins with, as SQL, of the row called `of`."""
        return ", ".join(f"{of}.{name}" for name in self.loaded)

    def typed(self, names: Iterable[str]) -> str:
        """Columns with their types, as `json_to_recordset` wants them."""
        return ", ".join(f"{name} {self._types[name]}" for name in names)

    def upsert(self, guard: str, parameter: str) -> str:
        """A CTE that writes rows given as JSON, if the CTE `guard` has their owner's `id`; of a row that is there only the
        columns of `updated` change, if any may."""
        assigned = ", ".join(f"{column} = EXCLUDED.{column}" for column in self.updated)
        key = ", ".join(key_across_shards(self.table, self.key))
        conflict = f"ON CONFLICT ({key}) DO UPDATE SET {assigned}" if assigned else ""
        return f"""
    in_{self.table} AS (
        INSERT INTO {self.table} ({", ".join(self.columns)})
        SELECT given.* FROM {guard} JOIN json_to_recordset({parameter}::json) AS given ({self.typed(self.columns)})
            ON given.{self.owned_by} = {guard}.id
        {conflict}
    )"""  # noqa: S608 - only our own columns and a number of a parameter are filled in


def _beside(column: str, kind: type, owner: type) -> str:
    """The expression for what a column holds that is no field of the object."""
    if column == DEADLINE:
        return "clocks.get(one.id)"
    if column == TRACE:
        return "present_trace()"
    if hasattr(kind, column):
        return f"one.{column}"
    if column == _owner_column(owner):
        return "owner.id"
    if column in hints_of(owner):
        return f"owner.{column}"
    raise TypeError(f"nothing says what the column {column} holds")


def _owner_column(owner: type) -> str:
    return f"{owner.__name__.lower()}_id"
