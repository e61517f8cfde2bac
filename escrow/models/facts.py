"""What a model's `Meta` says of its table beyond the columns."""

# ruff: noqa: SLF001 - `_meta` is where Tortoise keeps what a model says

from typing import Any, ClassVar

from tortoise.fields import Field
from tortoise.models import Model


class Facts:
    """What `Meta` of a model may say that Tortoise has no word for: here what holds for most tables."""

    key: ClassVar[tuple[str, ...]] = ()
    """The columns of the primary key, where it has more than one: to Tortoise any one of them is the key then."""
    fixed: ClassVar[tuple[str, ...]] = ()
    """The columns that never change once a row is there; the key, and what an object has of its owner, need no saying."""
    is_added_only: ClassVar[bool] = False
    """Whether no column ever changes."""
    words: ClassVar[tuple[str, ...]] = ()
    """The columns that hold people's words, which can be erased."""
    passing: ClassVar[tuple[str, ...]] = ()
    """The columns that hold for a while what the log doesn't keep: written once, cleared by the database, never audited."""
    apart: ClassVar[tuple[str, ...]] = ()
    """The columns that are the log's or the workers' own: in no object of the domain."""


def facts_of(model: type[Model]) -> type[Facts]:
    meta: type = model.Meta
    return meta if issubclass(meta, Facts) else Facts


def table_of(model: type[Model]) -> str:
    return model._meta.db_table


def columns_of(model: type[Model]) -> dict[str, Field[Any]]:
    """The columns of a table by name, in the model's order."""
    return dict(model._meta.fields_map)


def key_of(model: type[Model]) -> tuple[str, ...]:
    """The columns of a table's primary key."""
    return facts_of(model).key or (model._meta.pk_attr,)
