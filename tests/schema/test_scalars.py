"""Scalars: what goes in comes out, cursors only fit the list that gave them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from graphql import GraphQLError
from hypothesis import given
from hypothesis import strategies as st

from schema.scalars import SCALARS, Cursor, DecimalText, as_number, print_cursor, read_cursor, read_number


def _parse(name: str, value: object) -> object:
    (definition,) = (one for one in SCALARS.values() if one.name == name)
    assert definition.parse_value is not None
    return definition.parse_value(value)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**15), max_value=10**15))
def test_a_decimal_keeps_its_digits(value: object) -> None:
    assert _parse("Decimal", f"{value:f}") == DecimalText(f"{value:f}")


@pytest.mark.parametrize(
    "value", ["", " 1", "1 ", "+1", ".5", "5.", "1,000.00", "0x1", "1_000", "1.00\n", 1, 1.0, True, None]
)
def test_what_is_no_decimal_is_refused(value: object) -> None:
    with pytest.raises(GraphQLError, match="Decimal"):
        _parse("Decimal", value)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-31T12:00:00Z",
        "2026-03-31T14:00:00+02:00",
        "2026-03-31T12:00:00.000000+00:00",
        "2026-03-31t12:00:00z",
        "2026-03-31t12:00:00.0+00:00",
    ],
)
def test_a_time_is_taken_with_any_offset_and_given_in_utc(text: str) -> None:
    assert _parse("DateTime", text) == datetime(2026, 3, 31, 12, tzinfo=UTC)
    serialize = SCALARS[datetime].serialize
    assert serialize is not None
    assert serialize(datetime(2026, 3, 31, 12, tzinfo=UTC)) == "2026-03-31T12:00:00.000000Z"


@pytest.mark.parametrize(
    ("given_", "span"),
    [
        ("P14D", timedelta(days=14)),
        ("P2W", timedelta(weeks=2)),
        ("PT90M", timedelta(minutes=90)),
        ("P1DT2H3M4S", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("PT0S", timedelta(0)),
        (3600, timedelta(hours=1)),
        (-1, timedelta(seconds=-1)),
    ],
)
def test_a_duration_is_seconds_or_iso_8601(given_: object, span: timedelta) -> None:
    assert _parse("Duration", given_) == span
    serialize = SCALARS[timedelta].serialize
    assert serialize is not None
    assert serialize(timedelta(days=14)) == "PT1209600S"


@pytest.mark.parametrize(
    "value",
    ["", "P", "PT", "P1DT", "14D", "P1Y", "P1M", "P1.5D", "-P1D", "p1d", "P1D ", "P9999999D", 1.5, True, 10**11, None],
)
def test_what_is_no_duration_is_refused(value: object) -> None:
    with pytest.raises(GraphQLError, match="Duration"):
        _parse("Duration", value)


@given(st.text("abcdefghijklmnopqrstuvwxyz0123456789_", min_size=1), st.integers(0, 10**9 - 1))
def test_a_cursor_is_read_by_the_list_that_gave_it_and_by_no_other(place: str, number: int) -> None:
    cursor = print_cursor("things", place, number)
    assert read_cursor(cursor, "things", 2) == [place, str(number)]
    for order, parts in (("others", 2), ("things", 1), ("things", 3)):
        with pytest.raises(GraphQLError):
            read_cursor(cursor, order, parts)


@given(st.text(min_size=1, max_size=60))
def test_garbage_is_no_cursor(text: str) -> None:
    with pytest.raises(GraphQLError, match="cursor"):
        read_cursor(Cursor(text), "things")


@pytest.mark.parametrize("place", ["", "-1", "1.5", "x", "²", "1" * 10])
def test_a_place_that_is_no_number_is_refused(place: str) -> None:
    with pytest.raises(GraphQLError):
        as_number(place)
    with pytest.raises(GraphQLError):
        read_number(print_cursor("events", place), "events")
