"""Serves `GET /calendar/{token}.ics`: an account's due dates and deadlines, for calendar programs that subscribe to them.

A due date is a whole day; as the parties agreed on it, in the time zone of its contract. A deadline is a moment. Each has
an identifier of its own for ever, so that a program moves what moved and drops what is over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from icalendar import Calendar, Event
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from escrow import calendars
from escrow.calendars import Clock, DueDate

FRESH_SECONDS: Final = 300
"""How long a program may keep what it got without asking again."""

REFRESH: Final = timedelta(hours=1)

_HAPPENS: Final = {
    "contract.expired": "Proposal expires",
    "deposit.abandoned": "Deposit is given up",
    "milestone.released": "Work counts as approved",
}
"""What a deadline's event means to a person; another one is called by its own name."""


async def calendar_feed(request: Request) -> Response:
    """The calendar of whoever the token was made for; 404 for one that was revoked, replaced, or never made."""
    reader = await calendars.reader_of(request.path_params["token"])
    if reader is None:
        return PlainTextResponse("There is no such calendar.\n", 404, headers={"cache-control": "no-store"})
    body = calendar_of(await calendars.due_dates(reader), await calendars.clocks(reader))
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {
        "etag": tag,
        "cache-control": f"private, max-age={FRESH_SECONDS}",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
    }
    if _knows(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="text/calendar; charset=utf-8", headers=headers)


def calendar_of(due_dates: Iterable[DueDate], clocks: Iterable[Clock]) -> bytes:
    """The dates as iCalendar (RFC 5545); the same dates give the same bytes."""
    calendar = Calendar()
    calendar.add("prodid", "-//Earnest//Milestones//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", "Earnest")
    calendar.add("refresh-interval", REFRESH, parameters={"value": "DURATION"})
    for due in due_dates:
        calendar.add_component(_due(due))
    for clock in clocks:
        calendar.add_component(_clock(clock))
    printed: bytes = calendar.to_ical()
    return printed


def _due(due: DueDate) -> Event:
    event = Event()
    event.add("uid", f"{due.milestone_id}.due@earnest")
    event.add("dtstart", due.due_on)
    event.add("dtend", due.due_on + timedelta(days=1))
    event.add("summary", f"Due: {_line(due.title)} ({_line(due.contract_title)})")
    event.add("description", f"State: {due.state.value}. The day is one in {due.time_zone}. It never moves money.")
    return _finished(event, due)


def _clock(clock: Clock) -> Event:
    event = Event()
    event.add("uid", f"{clock.uid}@earnest")
    event.add("dtstart", clock.at)
    what = _HAPPENS.get(clock.action, clock.action)
    named = [_line(title) for title in clock.milestones[:3]] + (["…"] if len(clock.milestones) > 3 else [])
    event.add(
        "summary",
        f"{what}: {', '.join(named)} ({_line(clock.contract_title)})"
        if named
        else f"{what}: {_line(clock.contract_title)}",
    )
    event.add("description", f"If nobody acts before: {clock.action}.")
    return _finished(event, clock)


def _finished(event: Event, of: DueDate | Clock) -> Event:
    event.add("dtstamp", of.updated_at)
    event.add("last-modified", of.updated_at)
    event.add("transp", "TRANSPARENT")
    return event


def _line(text: str) -> str:
    """People's words on one line, without characters that no line shows."""
    return "".join(character for character in " ".join(text.split()) if character.isprintable())


def _knows(given: str, tag: str) -> bool:
    """Whether `If-None-Match` names what would be answered."""
    return given.strip() == "*" or tag in {one.strip().removeprefix("W/") for one in given.split(",")}
