"""Values that are made past their own `__init__` are the same values."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import pytest

from escrow.agreement.state import Fees
from escrow.values import Value, maker, replace
from tests.escrow.agreement import tour


@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int = 0


@dataclass(frozen=True, slots=True)
class Single:
    pair: tuple[int, int]


@dataclass(frozen=True)
class Loose:
    x: int


@dataclass(frozen=True, slots=True)
class Reckoned:
    x: int
    double: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "double", 2 * self.x)


class Said(Value):
    words: str


def test_what_is_made_of_all_values_is_what_the_class_makes_of_them() -> None:
    assert maker(Point)(1, 2) == Point(1, 2)
    assert hash(maker(Fees)(10, 20)) == hash(Fees(10, 20))


def test_a_value_too_few_or_too_many_is_refused() -> None:
    for values in ((1,), (1, 2, 3)):
        with pytest.raises(TypeError, match="positional argument"):
            maker(Point)(*values)


def test_only_the_named_fields_differ() -> None:
    one = Point(1, 2)
    assert replace(one, y=3) == Point(1, 3)
    assert one == Point(1, 2)


def test_the_only_field_of_a_value_is_replaced() -> None:
    assert replace(Single((1, 2)), pair=(3, 4)) == Single((3, 4))
    assert replace(Single((1, 2))) == Single((1, 2))


def test_what_is_made_is_as_frozen_as_what_the_class_makes() -> None:
    for one in (maker(Point)(1, 2), replace(Point(1), y=2)):
        assert type(one) is Point
        with pytest.raises(dataclasses.FrozenInstanceError):
            one.x = 3  # type: ignore[misc]


def test_a_field_that_is_none_is_refused() -> None:
    with pytest.raises(AttributeError):
        replace(Point(1), z=3)  # type: ignore[call-arg]


@pytest.mark.parametrize("kind", [Loose, Reckoned, Said])
def test_what_does_more_than_keep_its_fields_is_refused(kind: type) -> None:
    with pytest.raises(TypeError, match=r"slots|more"):
        maker(kind)


def test_a_contract_and_its_milestones_are_replaced_as_dataclasses_would() -> None:
    contract = tour.website().state
    assert replace(contract, title="Other") == dataclasses.replace(contract, title="Other")
    for one in contract.milestones:
        assert replace(one, title="Other") == dataclasses.replace(one, title="Other")
    assert contract.milestones
