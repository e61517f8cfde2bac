"""Defines the scalars of the API: how each is written, and one clear sentence for a value that is none.

Every parser raises `GraphQLError`, so that what was wrong reaches the client instead of being masked.
"""

from __future__ import annotations

import binascii
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NewType

import strawberry
from graphql import GraphQLError
from strawberry.scalars import JSON
from strawberry.types.scalar import ScalarDefinition

from escrow.codec import print_time

DecimalText = NewType("DecimalText", str)
"""An amount as it is written, such as `"1250.00"`: digits stay as they are, floats never touch it."""

CurrencyCode = NewType("CurrencyCode", str)
Cursor = NewType("Cursor", str)

_DECIMAL: Final = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,10})?")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DURATION: Final = re.compile(
    r"P(?=[0-9T])(?:(?P<weeks>[0-9]{1,6})W)?(?:(?P<days>[0-9]{1,6})D)?"
    r"(?:T(?=[0-9])(?:(?P<hours>[0-9]{1,8})H)?(?:(?P<minutes>[0-9]{1,9})M)?(?:(?P<seconds>[0-9]{1,10})S)?)?"
)
_SECONDS_MAX: Final = 10**10
_CURSOR_CHARACTERS_MAX: Final = 200
_NUMBER_DIGITS_MAX: Final = 9


def _parse_decimal(value: Any) -> DecimalText:
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise GraphQLError(f'A Decimal is a string such as "1250.00", not {_shown(value)}.')
    return DecimalText(value)


def _parse_currency(value: Any) -> CurrencyCode:
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise GraphQLError(f'A CurrencyCode is three capital letters such as "USD", not {_shown(value)}.')
    return CurrencyCode(value)


def _parse_date(value: Any) -> date:
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass  # the 30th of February has the right shape too
    raise GraphQLError(f'A Date is a string such as "2026-03-31", not {_shown(value)}.')


def _parse_time(value: Any) -> datetime:
    right = 'a string with an offset from UTC such as "2026-03-31T12:00:00Z"'
    try:
        # RFC 3339 allows both letters in lower case, too.
        time = datetime.fromisoformat(value.upper()) if isinstance(value, str) and "T" in value.upper() else None
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise GraphQLError(f"A DateTime is {right}, not {_shown(value)}.")
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise GraphQLError(f"A DateTime lies between the years 1 and 9999 in UTC, not {_shown(value)}.") from None


def _parse_duration(value: Any) -> timedelta:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _SECONDS_MAX:
        return timedelta(seconds=value)
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise GraphQLError(
            f'A Duration is a whole number of seconds, or a string such as "P14D" or "PT90M", not {_shown(value)}.'
        )
    return timedelta(**{unit: int(number) for unit, number in found.groupdict().items() if number is not None})


def _print_duration(span: timedelta) -> str:
    return f"PT{span // timedelta(seconds=1)}S"


def _parse_cursor(value: Any) -> Cursor:
    if not isinstance(value, str) or not 0 < len(value) <= _CURSOR_CHARACTERS_MAX:
        raise GraphQLError(f"A Cursor is a string that this API gave out before, not {_shown(value)}.")
    return Cursor(value)


def _shown(value: Any) -> str:
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def print_cursor(*parts: str | int) -> Cursor:
    """An opaque cursor that holds the place in an order; the first part says in which."""
    return Cursor(urlsafe_b64encode(":".join(str(part) for part in parts).encode()).decode().rstrip("="))


def read_cursor(cursor: Cursor, order: str, parts: int = 1) -> list[str]:
    """The place that `print_cursor(order, …)` wrote, as `parts` texts.

    Raises `GraphQLError` for anything that this order never gave out.
    """
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        text = ""
    found, *place = text.split(":")
    if found != order or len(place) != parts or not text.isprintable() or print_cursor(*text.split(":")) != cursor:
        raise _foreign_cursor()
    return place


def read_number(cursor: Cursor, order: str) -> int:
    """Like `read_cursor`, for an order whose places are numbers."""
    return as_number(read_cursor(cursor, order)[0])


def as_number(place: str, *, digits_max: int = _NUMBER_DIGITS_MAX) -> int:
    """A part of a place that was written as a number."""
    if not (place.isascii() and place.isdecimal()) or len(place) > digits_max:
        raise _foreign_cursor()
    return int(place)


def _foreign_cursor() -> GraphQLError:
    return GraphQLError(
        "This cursor is not one of this list; use `pageInfo.endCursor` of the page before.",
        extensions={"code": "BAD_REQUEST"},
    )


SCALARS: Final[dict[object, ScalarDefinition]] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="A moment in UTC, ISO 8601 with six decimals: `2026-03-31T12:00:00.000000Z`. Any offset is accepted.",
        specified_by_url="https://scalars.graphql.org/andimarek/date-time.html",
        serialize=print_time,
        parse_value=_parse_time,
    ),
    date: strawberry.scalar(
        name="Date",
        description="A calendar date, ISO 8601: `2026-03-31`.",
        specified_by_url="https://scalars.graphql.org/andimarek/local-date.html",
        serialize=date.isoformat,
        parse_value=_parse_date,
    ),
    timedelta: strawberry.scalar(
        name="Duration",
        description="A span of time: a whole number of seconds, or ISO 8601 in weeks, days, hours, minutes and seconds: `P14D`.",
        serialize=_print_duration,
        parse_value=_parse_duration,
    ),
    DecimalText: strawberry.scalar(
        name="Decimal",
        description="An exact decimal number as a string: `1250.00`. Numbers that went through a float are refused.",
        serialize=str,
        parse_value=_parse_decimal,
    ),
    CurrencyCode: strawberry.scalar(
        name="CurrencyCode",
        description="An ISO 4217 currency: `USD`, `JPY`, `BHD`.",
        serialize=str,
        parse_value=_parse_currency,
    ),
    Cursor: strawberry.scalar(
        name="Cursor",
        description="A place in a list. Opaque: use what `pageInfo` and edges give, make none yourself.",
        serialize=str,
        parse_value=_parse_cursor,
    ),
    JSON: strawberry.scalar(
        name="JSON",
        description="Any JSON value.",
        specified_by_url="https://ecma-international.org/publications-and-standards/standards/ecma-404/",
        serialize=lambda value: value,
        parse_value=lambda value: value,
    ),
}
