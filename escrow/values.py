"""Makes immutable values of classes, and values like others: whatever is derived from `Value` is a frozen dataclass whose fields
are given by name; `replace` and `maker` are for frozen dataclasses with slots, the states of things.

A frozen dataclass' own `__init__` goes the long way round its own prohibition, field by field, and `dataclasses.replace` looks
at each field's declaration before. A contract and a milestone have 35 fields, and a command makes a dozen of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import Field, dataclass
from functools import cache
from operator import attrgetter
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
    """What makes an object of all its fields' values, in the order of the fields: a third of what the class itself takes.

    Refuses with `TypeError` a class without slots, or one that does more with its fields than keep them.
    """
    keepers = tuple(_keepers(cast("Any", kind)).values())
    new = object.__new__

    def make(*values: object) -> T:
        made = new(kind)
        for keep, value in zip(keepers, values, strict=True):
            keep(made, value)
        return made

    return make


if TYPE_CHECKING:
    from dataclasses import replace as replace  # whose arguments the checker knows
else:

    def replace(one: T, /, **changes: object) -> T:
        """`one` but for what is given by the names of its fields. Fails with `KeyError` at what is no field."""
        kind = type(one)
        made = _copied(kind)(one)
        keepers = _keepers(kind)
        for name, value in changes.items():
            keepers[name](made, value)
        return made


@cache
def _copied(kind: Any) -> Callable[[Any], Any]:
    names, make = tuple(_keepers(kind)), maker(kind)
    values: Callable[[Any], Any] = attrgetter(*names)
    if len(names) == 1:  # of one name the getter gives the value itself
        return lambda one: make(values(one))
    return lambda one: make(*values(one))


@cache
def _keepers(kind: Any) -> dict[str, Callable[[object, object], None]]:
    """For each field what keeps its value in the object's slot, past the class' own prohibition."""
    fields = dataclasses.fields(kind)
    slots: dict[str, Any] = {one.name: getattr(kind, one.name, None) for one in fields if one.init}
    if len(slots) < len(fields) or hasattr(kind, "__post_init__"):
        raise TypeError(f"{kind.__name__} does more with its fields than keep them")
    if not all(isinstance(slot, MemberDescriptorType) for slot in slots.values()):
        raise TypeError(f"{kind.__name__} has no slots")
    return {name: slot.__set__ for name, slot in slots.items()}
