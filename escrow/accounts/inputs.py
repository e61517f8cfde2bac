"""What the values of a command on accounts must be like, whatever the state. Each refusal is ``InvalidInput`` by field.

Names stand in lists, terminals and mails, so they are one line without control characters. Who a person is gets compared
between accounts, so it is kept in one spelling.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from escrow import ids
from escrow.access import Scope
from escrow.agreement import inputs
from escrow.errors import InvalidInput
from escrow.money import BASIS_POINTS

NAME_MAX: Final = 200
PERSON_MAX: Final = 320
"""The longest e-mail address: 64 characters, the sign, 255 characters."""

KEY_CONTRACTS_MAX: Final = 100
"""Keeps the event of a limited key well below 16 KiB."""


def name(value: str, *, field: str = "name") -> str:
    """A name of an account, a person or a key: one line, at most ``NAME_MAX`` characters."""
    return _one_line(value, field=field, characters_max=NAME_MAX)


def person(value: str, *, field: str = "person") -> str:
    """Who somebody is, in the one spelling that is stored and compared (see ``spelling``)."""
    return _one_line(spelling(value), field=field, characters_max=PERSON_MAX)


def spelling(value: str) -> str:
    """One spelling for one person: no space around, composed characters, e-mail addresses in lower case.

    An identity provider's subject without an ``@`` keeps its case, since there case may tell people apart.
    """
    composed = unicodedata.normalize("NFC", value.strip())
    return composed.lower() if "@" in composed else composed


def _one_line(value: str, *, field: str, characters_max: int) -> str:
    inputs.text(value, field=field, characters_max=characters_max)
    if any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in value):
        raise InvalidInput("It must be one line, without control characters.", field=field)
    return value


def scopes(values: Sequence[Scope], *, on_operator: bool) -> tuple[Scope, ...]:
    """At least one scope, each once, in the order of the table; ``operator`` only on the operator's account."""
    if not values:
        raise InvalidInput("A key needs at least one scope.", field="scopes")
    if Scope.OPERATOR in values and not on_operator:
        raise InvalidInput("The scope operator is for keys of the operator's own account.", field="scopes")
    return tuple(scope for scope in Scope if scope in values)


def contract_ids(values: Sequence[str] | None) -> tuple[str, ...] | None:
    """The contracts that a key is limited to, each once; ``None`` for all of them."""
    if values is None:
        return None
    if not values:
        raise InvalidInput("Name at least one contract, or leave it out for all of them.", field="contractIds")
    if len(values) > KEY_CONTRACTS_MAX:
        raise InvalidInput(f"At most {KEY_CONTRACTS_MAX} entries, not {len(values)}.", field="contractIds")
    return tuple(dict.fromkeys(values))


def expiry(value: datetime | None, *, real_now: datetime) -> datetime | None:
    """When a key ends by itself: in the future, in real time."""
    if value is None:
        return None
    if value.tzinfo is None:
        raise InvalidInput("A time needs its offset from UTC, such as Z.", field="expiresAt")
    if value <= real_now:
        raise InvalidInput("A key must expire in the future.", field="expiresAt")
    if value.year > 9998:
        raise InvalidInput("A key expires before the year 9999, or never.", field="expiresAt")
    return value


def basis_points(value: int, *, field: str) -> int:
    """A share in basis points: 250 is 2.5 %."""
    if not 0 <= value <= BASIS_POINTS:
        raise InvalidInput(
            f"A fee is 0 to {BASIS_POINTS} basis points (hundredths of a percent), not {value}.", field=field
        )
    return value


def identifier(kind: ids.Kind, value: str, *, field: str) -> str:
    """A well-formed identifier of this kind for what a command creates."""
    if not ids.is_a(kind, value):
        raise InvalidInput(f"An identifier of this kind looks like “{kind.value}_…”.", field=field)
    return value
