"""Makes and reads identifiers: a prefix that tells the kind, and a time-ordered UUID in Crockford base32.

`mil_01kathd3v0f6x8zj9s5m2w7q4r` is the same in the API, in events, in webhooks, in logs and in the database.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_DIGITS: Final = 26
"""26 base32 digits hold 130 bits, so the first digit of a 128-bit UUID is at most 7."""


class Kind(StrEnum):
    """What an identifier's prefix says that it names."""

    ACCOUNT = "acc"
    CONTRACT = "ctr"
    MILESTONE = "mil"
    SUBMISSION = "sub"
    DEPOSIT = "dep"
    CHANGE_REQUEST = "chg"
    REFUND_REQUEST = "ref"
    DISPUTE = "dsp"
    EVENT = "evt"
    ENDPOINT = "whe"
    DELIVERY = "dlv"
    ATTEMPT = "att"
    REPLAY = "rpl"
    KEY = "key"
    SESSION = "ses"
    MEMBER = "mem"
    TRANSFER = "trf"
    ORDER = "pay"


Fresh = Callable[[Kind], str]
"""A supply of identifiers: `new` in earnest, a counter in tests of the pure core."""


def new(kind: Kind) -> str:
    """A fresh identifier. Later ones sort after earlier ones: by the millisecond, and within a process always."""
    return f"{kind.value}_{encode(_next_number())}"


_RANDOM_BITS: Final = 62
_LOW: Final = (1 << (_RANDOM_BITS - 1)) - 1
_STEP_BITS: Final = 32

_lock: Final = threading.Lock()
_last_number = 0


def _next_number() -> int:
    """A UUID of version 7; within a millisecond, or while the clock goes back, a random step after the one before."""
    global _last_number
    milliseconds = time.time_ns() // 1_000_000
    # The highest random bit stays free, so that steps don't run into the bits that tell the variant.
    number = (milliseconds << 80) | (0x7 << 76) | (0b10 << _RANDOM_BITS)
    random = secrets.randbits(12 + _RANDOM_BITS - 1)
    number |= (random >> (_RANDOM_BITS - 1) << 64) | (random & _LOW)
    with _lock:
        if number >> 80 <= _last_number >> 80:
            number = _last_number + 1 + secrets.randbits(_STEP_BITS)
        _last_number = number
    return number


def encode(number: int) -> str:
    """128 bits as 26 Crockford base32 digits in lower case, zero-padded, so that text order is numeric order."""
    return "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])


_PAIRS: Final = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
"""Every two digits, by the ten bits that they stand for."""

_SHIFTS: Final = tuple(range(5 * (_DIGITS - 2), -1, -10))


_READ: Final = str.maketrans(_ALPHABET, "0123456789abcdefghijklmnopqrstuv")
"""From Crockford's digits to those that `int` reads."""


def made_at_seconds(identifier: str) -> float:
    """When a well-formed identifier was made, in seconds since 1970, by the clock of the host that made it."""
    return (int(identifier.partition("_")[2].translate(_READ), 32) >> 80) / 1000


CLOCKS_APART: Final = timedelta(minutes=1)
"""Identifiers carry the time of the process that made them; creation is told by the database. So far apart at most."""


def first_at(kind: Kind, time: datetime, later: timedelta) -> str:
    """The first identifier that a process could make so much later than this time, which may be any."""
    milliseconds = min(max(int((time.timestamp() + later.total_seconds()) * 1000), 0), 2**48 - 1)
    return f"{kind}_{encode(milliseconds << 80)}"


def kind_of(identifier: str) -> Kind | None:
    """The kind that a well-formed identifier names; `None` for anything else."""
    return _KINDS.get(identifier[:3]) if _WELL_FORMED.fullmatch(identifier, 3) else None


_KINDS: Final = {kind.value: kind for kind in Kind}
_WELL_FORMED: Final = re.compile(f"_[0-7][{_ALPHABET}]{{{_DIGITS - 1}}}")


def is_a(kind: Kind, identifier: str) -> bool:
    """Whether `identifier` is well formed and names this kind."""
    return kind_of(identifier) is kind
