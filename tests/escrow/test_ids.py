"""Identifiers: unique, in the order of their making, and recognised for what they name."""

from __future__ import annotations

import uuid

import pytest

from escrow import ids
from escrow.ids import Kind


def test_what_one_process_makes_sorts_in_the_order_of_its_making_and_never_repeats() -> None:
    made = [ids.new(Kind.TRANSFER) for _ in range(20_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_the_order_holds_when_the_clock_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = ids.new(Kind.EVENT)
    monkeypatch.setattr("time.time_ns", lambda: 1_000_000_000_000_000_000)
    assert ids.new(Kind.EVENT) > before


def test_the_number_behind_an_identifier_is_a_uuid_of_version_seven() -> None:
    for _ in range(1_000):
        number = uuid.UUID(int=decoded(ids.new(Kind.CONTRACT)))
        assert (number.version, number.variant) == (7, uuid.RFC_4122)


def test_an_identifier_tells_what_it_names() -> None:
    for kind in Kind:
        identifier = ids.new(kind)
        assert ids.kind_of(identifier) is kind
        assert ids.is_a(kind, identifier)


@pytest.mark.parametrize(
    "text",
    [
        *("", "mil", "mil_", "mil_0", " mil_" + "0" * 26, "xxx_" + "0" * 26, "MIL_" + "0" * 26),
        *("mil_8" + "0" * 25, "mil_" + "u" * 26, "mil_" + "0" * 27, "mil_" + "0" * 25 + "\0", "mil_" + "0" * 25 + "٣"),
    ],
)
def test_what_is_not_well_formed_names_nothing(text: str) -> None:
    assert ids.kind_of(text) is None


@pytest.mark.parametrize("number", [0, 1, 31, 32, 2**127, 2**128 - 1])
def test_the_digits_give_the_number_back(number: int) -> None:
    assert decoded("mil_" + ids.encode(number)) == number


def decoded(identifier: str) -> int:
    number = 0
    for digit in identifier.partition("_")[2]:
        number = number * 32 + "0123456789abcdefghjkmnpqrstvwxyz".index(digit)
    return number
