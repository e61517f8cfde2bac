"""Makes and reads the opaque cursor of the log, which is the same in the sync feed, in live streams and in webhooks.

It stands for the position of an event; whoever goes on from it gets what comes after that event. Nothing else is in it,
so it never expires, and it sorts as text in the log's order.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

BEGINNING: Final = 0
"""The position before the first event."""

POSITION_MAX: Final = 2**63 - 1
"""Positions are PostgreSQL's bigint."""

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_DIGITS: Final = 13
_PAIRS: Final = [first + second for first in _ALPHABET for second in _ALPHABET]
_SHIFTS: Final = range(40, -1, -10)
_CURSOR: Final = re.compile(rf"cur_([0-7][{_ALPHABET}]{{{_DIGITS - 1}}})")


class NotACursor(ValueError):
    """A text that `print_cursor` never gave out."""


def print_cursor(position: int) -> str:
    """The cursor of a position, 0 (the beginning) included: `cur_` and 13 digits in Crockford's base 32."""
    return _beginning(position >> 10) + _PAIRS[position & 1023]


@lru_cache(maxsize=1024)
def _beginning(high: int) -> str:
    """All of a cursor but the last two digits, which a thousand positions have in common."""
    pairs = [_PAIRS[high >> shift & 1023] for shift in _SHIFTS]
    return f"cur_{_ALPHABET[high >> 50]}{''.join(pairs)}"


def read_cursor(cursor: str) -> int:
    """The position that a cursor stands for. Raises `NotACursor`, saying what a cursor looks like."""
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        shown = cursor if len(cursor) <= 60 else f"{cursor[:57]}…"
        raise NotACursor(f'"{shown}" is no cursor of the log; one looks like {print_cursor(1)}, as events carry it.')
    position = 0
    for digit in found[1]:
        position = position * 32 + _ALPHABET.index(digit)
    return position
