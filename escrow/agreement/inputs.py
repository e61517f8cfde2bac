"""Checks the values of a command, whatever the state: lengths, windows, dates, links, amounts.

The limits keep every event below 16 KiB and every stored text such as PostgreSQL can keep and people can see. Each refusal
is `InvalidInput` and names the field in the API's spelling.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import date
from functools import cache
from typing import Final
from zoneinfo import available_timezones

from escrow import writing
from escrow.agreement.commands import MilestoneDraft
from escrow.agreement.state import MILESTONES_MAX, Attachment, Windows
from escrow.causes import Cause
from escrow.codec import camel
from escrow.errors import InvalidInput, quoted
from escrow.money import Money, exact

TITLE_MAX: Final = 200
PURPOSE_MAX: Final = 2_000
DESCRIPTION_MAX: Final = 10_000
MESSAGE_MAX: Final = 5_000
EVIDENCE_TEXT_MAX: Final = 10_000
DELIVERABLES_MAX: Final = 20
DELIVERABLE_MAX: Final = 500
LINKS_MAX: Final = 20
LINK_MAX: Final = 2_000
ATTACHMENTS_MAX: Final = 20
ATTACHMENT_NAME_MAX: Final = 255
PAYMENT_TOKEN_MAX: Final = 200
EXTERNAL_ID_MAX: Final = 255

_DAY: Final = 24
WINDOW_BOUNDS: Final[dict[str, tuple[int, int]]] = {
    "offer_hours": (1, 90 * _DAY),
    "deposit_hours": (1, 90 * _DAY),
    "review_hours": (2 * _DAY, 90 * _DAY),
    "refund_answer_hours": (2 * _DAY, 90 * _DAY),
    "dispute_answer_hours": (2 * _DAY, 90 * _DAY),
    "mediation_hours": (_DAY, 90 * _DAY),
}
"""docs/law.md, section 4: review and answers 2 to 90 days, offer and deposit 1 hour to 90 days, mediation 1 to 90; in hours."""

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_SYSTEM: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,49}")
_LINK: Final = re.compile(r"https?://[^\s/?#]+[^\s]*", re.IGNORECASE)


def text(value: str, *, field: str, characters_max: int) -> str:
    """`value` as it was given, if it says something, is not too long and can be stored. It may have several lines."""
    if not value.strip():
        raise InvalidInput("It must not be empty.", field=field, cause=Cause.EMPTY)
    if writing.shows_nothing(value):
        raise InvalidInput("It must not be empty: all of its characters are invisible.", field=field, cause=Cause.EMPTY)
    return optional_text(value, field=field, characters_max=characters_max)


def optional_text(value: str, *, field: str, characters_max: int) -> str:
    """Like `text`, but it may be empty."""
    _short(value, field=field, characters_max=characters_max)
    if fault := writing.fault(value):
        raise InvalidInput(fault, field=field, cause=Cause.CHARACTERS)
    return value


def line(value: str, *, field: str, characters_max: int) -> str:
    """Like `text`, on one line that means what it looks like: a title, a name."""
    _short(value, field=field, characters_max=characters_max)
    if fault := writing.fault_of_line(value):
        raise InvalidInput(fault, field=field, cause=Cause.CHARACTERS)
    return text(value, field=field, characters_max=characters_max)


def _short(value: str, *, field: str, characters_max: int) -> None:
    if len(value) > characters_max:
        raise InvalidInput(
            f"At most {characters_max} characters, not {len(value)}.",
            field=field,
            details={"most": characters_max, "given": len(value)},
            cause=Cause.TOO_LONG,
        )


def message(value: str | None, *, field: str = "message") -> str | None:
    """A message to the other side; nothing and one that shows nothing are the same."""
    if value is None or writing.shows_nothing(value):
        return None
    return text(value, field=field, characters_max=MESSAGE_MAX)


def deliverables(values: Sequence[str], *, field: str) -> tuple[str, ...]:
    """A list of things to be delivered, each a short text."""
    _at_most(values, DELIVERABLES_MAX, field=field)
    return tuple(
        text(value, field=f"{field}.{index}", characters_max=DELIVERABLE_MAX) for index, value in enumerate(values)
    )


def link(value: str, *, field: str) -> str:
    """A web address, http or https."""
    if not _LINK.fullmatch(text(value, field=field, characters_max=LINK_MAX)):
        raise InvalidInput(
            "A link is a full address that begins with https:// or http://.", field=field, cause=Cause.NO_LINK
        )
    return value


def external_system(name: str, *, field: str = "system") -> str:
    """The name under which a program's own identifiers are kept, such as `jira`."""
    if not _SYSTEM.fullmatch(name):
        raise InvalidInput(
            f"A system is 1 to 50 of a-z, 0-9, “.”, “_” and “-”, such as jira, not {quoted(name)}.",
            field=field,
            cause=Cause.NO_SYSTEM,
        )
    return name


def external_id(value: str, *, field: str = "externalId") -> str:
    """What another system calls something: one line, without spaces around it."""
    if not 1 <= len(value) <= EXTERNAL_ID_MAX or writing.has_space_around(value):
        raise InvalidInput(
            f"An external id has 1 to {EXTERNAL_ID_MAX} characters and no spaces around it.",
            field=field,
            details={"most": EXTERNAL_ID_MAX},
            cause=Cause.NO_EXTERNAL_ID,
        )
    return line(value, field=field, characters_max=EXTERNAL_ID_MAX)


def links(values: Sequence[str], *, field: str = "links") -> tuple[str, ...]:
    """Web addresses, http or https."""
    _at_most(values, LINKS_MAX, field=field)
    for index, value in enumerate(values):
        link(value, field=f"{field}.{index}")
    return tuple(values)


def attachments(values: Sequence[Attachment], *, field: str = "attachments") -> tuple[Attachment, ...]:
    """Names of files with the sha256 of their contents, 64 hexadecimal digits; they are kept in lower case."""
    _at_most(values, ATTACHMENTS_MAX, field=field)
    return tuple(_attachment(value, f"{field}.{index}") for index, value in enumerate(values))


def _attachment(value: Attachment, place: str) -> Attachment:
    line(value.name, field=f"{place}.name", characters_max=ATTACHMENT_NAME_MAX)
    digest = value.sha256.lower()
    if not _SHA256.fullmatch(digest):
        raise InvalidInput("A sha256 is 64 hexadecimal digits.", field=f"{place}.sha256", cause=Cause.NO_SHA256)
    return replace(value, sha256=digest)


def _at_most(values: Sequence[object], most: int, *, field: str) -> None:
    if len(values) > most:
        raise InvalidInput(
            f"At most {most} entries, not {len(values)}.",
            field=field,
            details={"most": most, "given": len(values)},
            cause=Cause.TOO_MANY,
        )


@cache
def _time_zones() -> frozenset[str]:
    # "localtime" is whatever the machine is set to, another one on another host.
    return frozenset(available_timezones() - {"Factory", "localtime"})


def time_zone(name: str) -> str:
    """The name of a time zone in the IANA database, such as `Europe/Lisbon`."""
    if name not in _time_zones():
        raise InvalidInput(
            f"{quoted(name)} is not the name of a time zone, such as UTC or Europe/Lisbon.",
            field="timeZone",
            cause=Cause.NO_TIME_ZONE,
        )
    return name


def windows(before: Windows, hours: Mapping[str, int]) -> Windows:
    """`before` with the windows that `hours` names, each within its bounds."""
    known = {field.name for field in fields(Windows)}
    for name, value in hours.items():
        place = f"windows.{camel(name)}"
        if name not in known:
            raise InvalidInput(f"There is no window {quoted(camel(name))}.", field=place)
        least, most = WINDOW_BOUNDS[name]
        if not least <= value <= most:
            raise InvalidInput(
                f"Between {least} and {most} hours, not {value}.",
                field=place,
                details={"least": least, "most": most},
                cause=Cause.HOURS,
            )
    return replace(before, **dict(hours))


def draft(given: MilestoneDraft, *, currency: str, field: str) -> tuple[MilestoneDraft, Money]:
    """A checked milestone and its exact amount."""
    line(given.title, field=f"{field}.title", characters_max=TITLE_MAX)
    text(given.purpose, field=f"{field}.purpose", characters_max=PURPOSE_MAX)
    deliverables(given.deliverables, field=f"{field}.deliverables")
    due_date(given.due_on, field=f"{field}.dueOn")
    return given, exact(given.amount, currency=currency, field=f"{field}.amount")


def due_date(value: date, *, field: str) -> date:
    """A calendar date; one in the past is unusual, not wrong."""
    if not 2000 <= value.year <= 9998:
        raise InvalidInput("A due date lies between the years 2000 and 9998.", field=field, cause=Cause.YEAR)
    return value


def plan(given: Sequence[MilestoneDraft], *, currency: str) -> tuple[tuple[MilestoneDraft, Money], ...]:
    """The milestones of a proposal: at least one, at most `MILESTONES_MAX`."""
    if not given:
        raise InvalidInput("A plan has at least one milestone.", field="milestones", cause=Cause.TOO_FEW)
    _at_most(given, MILESTONES_MAX, field="milestones")
    return tuple(draft(item, currency=currency, field=f"milestones.{index}") for index, item in enumerate(given))


def explanation(value: str) -> str | None:
    """What the provider says of a failure, made fit to be kept: a report is never refused for its wording."""
    return writing.storable(value).strip()[:MESSAGE_MAX] or None
