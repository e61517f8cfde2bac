"""Identifiers: a prefix and a time-ordered UUID; later ones sort after earlier ones, and what is malformed names nothing."""

from __future__ import annotations

import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow import ids
from escrow.ids import Kind

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's: no i, l, o or u."""


def number_of(identifier: str) -> int:
    number = 0
    for digit in identifier.partition("_")[2]:
        number = number * 32 + ALPHABET.index(digit)
    return number


@pytest.mark.parametrize("kind", Kind)
def test_a_new_identifier_is_the_prefix_of_its_kind_and_a_uuid_of_version_seven(kind: Kind) -> None:
    before = time.time_ns() // 1_000_000
    identifier = ids.new(kind)
    after = time.time_ns() // 1_000_000
    assert identifier.startswith(f"{kind.value}_")
    assert len(identifier) == len(kind.value) + 1 + 26
    assert ids.kind_of(identifier) is kind
    assert ids.is_a(kind, identifier)
    number = number_of(identifier)
    as_uuid = uuid.UUID(int=number)
    assert (as_uuid.version, as_uuid.variant) == (7, uuid.RFC_4122)
    assert before <= number >> 80 <= after


def test_identifiers_sort_by_time_as_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "_last_number", ids._last_number)  # so that later tests don't live in the year 10889
    made = []
    for milliseconds in (0, 1, 31, 32, 1_000, 10**12, 10**12 + 1, 2**48 - 1):
        monkeypatch.setattr(time, "time_ns", lambda now=milliseconds: now * 1_000_000)
        made.append(ids.new(Kind.EVENT))
    assert made == sorted(made)
    assert all(ids.kind_of(identifier) is Kind.EVENT for identifier in made)


def test_an_identifier_tells_when_it_was_made() -> None:
    before = time.time()
    made_at = ids.made_at_seconds(ids.new(Kind.EVENT))
    assert before - 0.001 <= made_at <= time.time()


def test_identifiers_of_one_instant_are_all_different(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1_700_000_000_000_000_000)
    made = {ids.new(Kind.TRANSFER) for _ in range(20_000)}
    assert len(made) == 20_000


@given(st.integers(0, 2**128 - 1), st.integers(0, 2**128 - 1))
def test_the_order_of_encoded_numbers_is_the_order_of_numbers(one: int, other: int) -> None:
    first, second = ids.encode(one), ids.encode(other)
    assert (first < second, first == second) == (one < other, one == other)
    assert len(first) == 26
    assert number_of(f"mil_{first}") == one


WELL_FORMED = "mil_" + ids.encode(2**128 - 1)


@pytest.mark.parametrize(
    "malformed",
    [
        "",
        "_",
        "mil",
        "mil_",
        "mil_0",
        WELL_FORMED[:-1],
        WELL_FORMED + "0",
        WELL_FORMED.upper(),
        "MIL" + WELL_FORMED[3:],
        "xyz" + WELL_FORMED[3:],
        "" + WELL_FORMED[3:],
        " " + WELL_FORMED,
        WELL_FORMED + " ",
        WELL_FORMED + "\n",
        WELL_FORMED.replace("_", "-"),
        "mil_8" + "0" * 25,
        "mil_z" + "0" * 25,
        "mil_0" + "i" * 25,
        "mil_0" + "l" * 25,
        "mil_0" + "o" * 25,
        "mil_0" + "u" * 25,
        "mil_0" + "٣" * 25,
        "mil_0" + "_" * 25,
        "mil__" + "0" * 25,
        "mil_0" + "\0" * 25,
    ],
)
def test_what_is_malformed_names_no_kind(malformed: str) -> None:
    assert ids.kind_of(malformed) is None
    assert not any(ids.is_a(kind, malformed) for kind in Kind)


@given(st.text(max_size=40))
def test_no_text_at_all_breaks_the_reading(text: str) -> None:
    ids.kind_of(text)
    ids.kind_of(f"mil_{text}")


def test_one_kind_is_not_another() -> None:
    contract = ids.new(Kind.CONTRACT)
    assert [kind for kind in Kind if ids.is_a(kind, contract)] == [Kind.CONTRACT]


def test_the_prefixes_are_the_ones_that_the_outside_knows() -> None:
    told = "acc ctr mil sub dep chg ref dsp evt whe dlv att key trf pay".split()
    assert set(told) <= {kind.value for kind in Kind}
