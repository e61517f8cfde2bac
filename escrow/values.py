"""Makes immutable values of classes, and values like others: whatever is derived from `Value` is a frozen dataclass whose fields
are given by name; `replace` and `maker` are for frozen dataclasses with slots, the states of things.

A frozen dataclass' own `__init__` goes the long way round its own prohibition, field by field, and `dataclasses.replace` looks
at each field's declaration before. A contract and a milestone have 35 fields, and a command makes a dozen of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import Field, dataclass, make_dataclass
from functools import cache
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar, cast, dataclass_transform

T = TypeVar("T")

UNLESS_NONE: Final = {"unless_none": True}
"""Marks a field that came later, in the declaration of a dataclass: where objects are kept as JSON it is left out if it is
`None`, so that what was written before it came is what would be written now."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Value:
    """Commands and events are values of many classes: each would bear the same decorator."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        dataclass(frozen=True, kw_only=True)(cls)


def maker(kind: type[T]) -> Callable[..., T]:
    """What makes an object of all its fields' values, in the order of the fields: a sixth of what the class itself takes.

    Refuses with `TypeError` a class without slots, or one that does more with its fields than keep them.
    """
    draft = _draft(cast("Any", kind))

    def make(*values: object) -> T:
        made: Any = draft(*values)
        made.__class__ = kind
        return cast("T", made)

    return make


if TYPE_CHECKING:
    from dataclasses import replace as replace  # whose arguments the checker knows
else:

    def replace(one: T, /, **changes: object) -> T:
        """`one` but for what is given by the names of its fields. Fails with `AttributeError` at what is no field."""
        kind = type(one)
        made = _copier(kind)(one)
        for name, value in changes.items():
            setattr(made, name, value)
        made.__class__ = kind
        return made


@cache
def _copier(kind: Any) -> Callable[[Any], Any]:
    """What makes a draft of an object with all its values."""
    values = ", ".join(f"one.{name}" for name in _names(kind))
    copier: Callable[[Any], Any] = eval(f"lambda one: draft({values})", {"draft": _draft(kind)})  # noqa: S307 - made of the names of our own fields
    return copier


@cache
def _draft(kind: Any) -> type:
    """A class with the same slots that lets its fields be set: what it made becomes one of the other when it is told so."""
    return make_dataclass(kind.__name__, _names(kind), slots=True, eq=False, repr=False)


def _names(kind: Any) -> list[str]:
    """The fields of a class that keeps them in slots, and does nothing else with them."""
    names = [one.name for one in dataclasses.fields(kind) if one.init]
    if len(names) < len(dataclasses.fields(kind)) or hasattr(kind, "__post_init__"):
        raise TypeError(f"{kind.__name__} does more with its fields than keep them")
    if not all(isinstance(getattr(kind, name, None), MemberDescriptorType) for name in names):
        raise TypeError(f"{kind.__name__} has no slots")
    return names
