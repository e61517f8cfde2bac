"""Checks the values of a command on accounts, whatever the state. Each refusal is `InvalidInput` by field.

Names stand in lists, terminals and mails, so they are one line that means what it looks like. Who a person is gets compared
between accounts, so it is kept in one spelling.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from escrow import ids, log
from escrow.access import Scope
from escrow.accounts.commands.endpoints import Address
from escrow.accounts.state.endpoints import API_VERSIONS, EVERY_TYPE, OVERLAP_MAX, Algorithm, SealedSecret
from escrow.accounts.state.sessions import LIFETIME_MAX, LIFETIME_MIN
from escrow.agreement import inputs
from escrow.causes import Cause
from escrow.errors import InvalidInput, quoted
from escrow.money import BASIS_POINTS

NAME_MAX: Final = 200
PERSON_MAX: Final = 320
"""The longest e-mail address: 64 characters, the sign, 255 characters."""

RETURN_URL_MAX: Final = 2_000

POINTS_MIN: Final = 100
POINTS_MAX: Final = 100_000_000
"""A point is a hundred-thousandth of a second of a process: the largest rate is a thousand processes."""

KEY_CONTRACTS_MAX: Final = 100
"""Keeps the event of a limited key well below 16 KiB."""


ORIGINS_MAX: Final = 10
ORIGIN_CHARACTERS_MAX: Final = 300

_ORIGIN: Final = re.compile(r"https?://([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?")


def name(value: str, *, field: str = "name") -> str:
    """A name of an account, a person or a key: one line, at most `NAME_MAX` characters."""
    return inputs.line(value, field=field, characters_max=NAME_MAX)


def person(value: str, *, field: str = "person") -> str:
    """Who somebody is, in the one spelling that is stored and compared (see `spelling`)."""
    return inputs.line(spelling(value), field=field, characters_max=PERSON_MAX)


def spelling(value: str) -> str:
    """One spelling for one person: no space around, composed characters, e-mail addresses in lower case.

    An identity provider's subject without an `@` keeps its case, since there case may tell people apart.
    """
    composed = unicodedata.normalize("NFC", value.strip())
    return composed.lower() if "@" in composed else composed


def scopes(values: Sequence[Scope], *, on_operator: bool) -> tuple[Scope, ...]:
    """At least one scope, each once, in the order of the table; `operator` only on the operator's account."""
    if not values:
        raise InvalidInput("A key needs at least one scope.", field="scopes", cause=Cause.TOO_FEW)
    if Scope.OPERATOR in values and not on_operator:
        raise InvalidInput(
            "The scope operator is for keys of the operator's own account.", field="scopes", cause=Cause.OPERATORS_SCOPE
        )
    return tuple(scope for scope in Scope if scope in values)


def contract_ids(values: Sequence[str] | None) -> tuple[str, ...] | None:
    """The contracts that a key is limited to, each once; `None` for all of them."""
    if values is None:
        return None
    if not values:
        raise InvalidInput(
            "Name at least one contract, or leave it out for all of them.", field="contractIds", cause=Cause.TOO_FEW
        )
    if len(values) > KEY_CONTRACTS_MAX:
        raise _too_many("entries", values, KEY_CONTRACTS_MAX, field="contractIds")
    return tuple(dict.fromkeys(values))


def _too_many(what: str, values: Sequence[str], most: int, *, field: str, hint: str = "") -> InvalidInput:
    return InvalidInput(
        f"At most {most} {what}, not {len(values)}{hint}.",
        field=field,
        details={"most": most, "given": len(values)},
        cause=Cause.TOO_MANY,
    )


def expiry(value: datetime | None, *, real_now: datetime) -> datetime | None:
    """When a key ends by itself: in the future, in real time."""
    if value is None:
        return None
    if value.tzinfo is None:
        raise InvalidInput("A time needs its offset from UTC, such as Z.", field="expiresAt")
    if value <= real_now:
        raise InvalidInput("A key must expire in the future.", field="expiresAt", cause=Cause.NOT_IN_FUTURE)
    if value.year > 9998:
        raise InvalidInput("A key expires before the year 9999, or never.", field="expiresAt", cause=Cause.NEVER_ENDS)
    return value


def session_lifetime(value: timedelta) -> timedelta:
    """How long a session lasts: a minute to half a day."""
    if not LIFETIME_MIN <= value <= LIFETIME_MAX:
        raise InvalidInput(
            f"A session lasts {seconds_of(LIFETIME_MIN)} to {seconds_of(LIFETIME_MAX)} seconds, not {seconds_of(value)}.",
            field="lifetimeSeconds",
            details={"least": seconds_of(LIFETIME_MIN), "most": seconds_of(LIFETIME_MAX)},
            cause=Cause.SECONDS,
        )
    return value


def seconds_of(value: timedelta) -> int:
    """In whole seconds."""
    return int(value.total_seconds())


def origins(values: Sequence[str]) -> tuple[str, ...]:
    """The origins of web pages, each once, as a browser names them: `https://app.example.com`, in lower case, no path."""
    if len(values) > ORIGINS_MAX:
        raise _too_many("origins", values, ORIGINS_MAX, field="origins")
    for index, value in enumerate(values):
        if not is_an_origin(value):
            raise InvalidInput(
                f"An origin looks like https://app.example.com, in lower case and without a path; {quoted(value)} is none.",
                field=f"origins.{index}",
                cause=Cause.NO_ORIGIN,
            )
    return tuple(dict.fromkeys(values))


def is_an_origin(value: str) -> bool:
    """Whether a browser could call a page's origin so; sandboxed frames call theirs `null`, which is none."""
    return len(value) <= ORIGIN_CHARACTERS_MAX and _ORIGIN.fullmatch(value) is not None


def return_url(value: str | None) -> None:
    """Where a browser is led back to: it begins with https, and is of one line."""
    if value is None:
        return
    inputs.line(value, field="returnUrl", characters_max=RETURN_URL_MAX)
    if not value.startswith("https://"):
        raise InvalidInput("A page to return to begins with https://.", field="returnUrl", cause=Cause.NO_RETURN_URL)


def points_per_second(value: int | None) -> int | None:
    """How much the keys of an account may use; `None` for what the deployment grants."""
    if value is not None and not POINTS_MIN <= value <= POINTS_MAX:
        raise InvalidInput(
            f"A rate is {POINTS_MIN} to {POINTS_MAX} points a second, not {value}.",
            field="pointsPerSecond",
            details={"least": POINTS_MIN, "most": POINTS_MAX},
            cause=Cause.POINTS,
        )
    return value


def basis_points(value: int, *, field: str) -> int:
    """A share in basis points: 250 is 2.5 %."""
    if not 0 <= value <= BASIS_POINTS:
        raise InvalidInput(
            f"A fee is 0 to {BASIS_POINTS} basis points (hundredths of a percent), not {value}.",
            field=field,
            details={"most": BASIS_POINTS},
            cause=Cause.BASIS_POINTS,
        )
    return value


def identifier(kind: ids.Kind, value: str, *, field: str) -> str:
    """A well-formed identifier of this kind for what a command creates."""
    if not ids.is_a(kind, value):
        raise InvalidInput(f"An identifier of this kind looks like “{kind.value}_…”.", field=field)
    return value


DESCRIPTION_MAX: Final = 1_000
URL_MAX: Final = 2_048
EVENT_TYPES_MAX: Final = 150
"""Keeps the event below 16 KiB; whoever wants more wants families, or all."""

_FAMILY_END: Final = ".*"


def url(address: Address) -> str:
    """The address, if it isn't too long, and whoever sends finds nothing wrong with it."""
    if address.fault is not None and len(address.url) <= URL_MAX:
        raise InvalidInput(address.fault, field="url", cause=address.cause)
    return inputs.text(address.url, field="url", characters_max=URL_MAX)


def description(value: str) -> str:
    """What the endpoint is for; it may be empty."""
    return inputs.optional_text(value, field="description", characters_max=DESCRIPTION_MAX)


def event_types(values: Sequence[str] | None) -> tuple[str, ...]:
    """Types, families such as `milestone.*`, or `*` for all: sorted, each once, without what another covers.

    What no event has is refused, naming the nearest that there is.
    """
    if values is None:
        return (EVERY_TYPE,)
    if not values:
        raise InvalidInput(
            "Name at least one event type, or leave it out for all of them.", field="eventTypes", cause=Cause.TOO_FEW
        )
    if len(values) > EVENT_TYPES_MAX:
        raise _too_many(
            "entries", values, EVENT_TYPES_MAX, field="eventTypes", hint="; a family such as milestone.* takes less"
        )
    known = known_patterns()
    for index, value in enumerate(values):
        if value not in known:
            raise InvalidInput(_unknown(value, known), field=f"eventTypes.{index}", cause=Cause.NO_EVENT_TYPE)
    if EVERY_TYPE in values:
        return (EVERY_TYPE,)
    return tuple(sorted({value for value in values if value.endswith(_FAMILY_END) or family_of(value) not in values}))


def known_patterns() -> frozenset[str]:
    """Everything that an endpoint may ask for."""
    types = {kind for kind, _ in log.CATALOGUE}
    return frozenset(types | {family_of(kind) for kind in types} | {EVERY_TYPE})


def family_of(event_type: str) -> str:
    """`milestone.*` for `milestone.released`."""
    return event_type.partition(".")[0] + _FAMILY_END


def _unknown(value: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(value[:100].strip().lower(), sorted(known), n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else "the query eventTypes lists all of them; * stands for all."
    return f"There is no event type {quoted(value)}; {hint}"


def api_version(value: str | None) -> str:
    """One of the versions that this release sends; the latest unless said."""
    if value is None:
        return API_VERSIONS[-1]
    if value not in API_VERSIONS:
        raise InvalidInput(
            f"There is no API version {quoted(value)}; there is {', '.join(API_VERSIONS)}.", field="apiVersion"
        )
    return value


def overlap(value: timedelta) -> timedelta:
    """For how long the secrets before go on signing: none to a month."""
    if not timedelta(0) <= value <= OVERLAP_MAX:
        raise InvalidInput(
            f"The overlap is 0 seconds to {OVERLAP_MAX.days} days.",
            field="overlap",
            details={"most": OVERLAP_MAX.days},
            cause=Cause.DAYS,
        )
    return value


def secrets(offered: Sequence[SealedSecret], algorithms: Iterable[Algorithm]) -> tuple[SealedSecret, ...]:
    """The offered secrets of these algorithms, at least one."""
    wanted = set(algorithms)
    if not wanted:
        raise InvalidInput("Name at least one algorithm.", field="algorithms", cause=Cause.TOO_FEW)
    return tuple(secret for secret in offered if secret.facts.algorithm in wanted)
