"""Serves `GET /calendar/{token}.ics`: an account's due dates and deadlines, for calendar programs that subscribe to them.

A due date is a whole day; as the parties agreed on it, in the time zone of its contract. A deadline is a moment. Each has
an identifier of its own for ever, so that a program moves what moved and drops what is over.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from icalendar import Alarm, Calendar, Event, vDuration
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from api.etags import is_known, tag_of
from escrow import calendars
from escrow.calendars import Clock, DueDate
from escrow.writing import one_line

FRESH_SECONDS: Final = 300
"""How long a program may keep what it got without asking again."""

REFRESH: Final = timedelta(hours=1)

ALARM: Final = timedelta(days=1)
"""So long before a deadline a program may ring."""

FIRST_SEQUENCE: Final = datetime(2020, 1, 1, tzinfo=UTC)
"""Revisions are numbered by the second of their change since then: they only grow, and fit 31 bits until 2088."""

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
    pattern = request.app.state.door.milestone_url
    body = calendar_of(await calendars.due_dates(reader), await calendars.clocks(reader), pattern)
    tag = tag_of(body)
    headers = {
        "etag": tag,
        "cache-control": f"private, max-age={FRESH_SECONDS}",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
    }
    if is_known(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="text/calendar; charset=utf-8", headers=headers)


def calendar_of(due_dates: Iterable[DueDate], clocks: Iterable[Clock], milestone_url: str | None = None) -> bytes:
    """The dates as iCalendar (RFC 5545); the same dates give the same bytes.

    `milestone_url` is where people see a milestone, with `{milestoneId}` in it; else what the account's own program said.
    """
    calendar = Calendar()
    calendar.add("prodid", "-//Earnest//Milestones//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    for name in ("name", "x-wr-calname"):  # RFC 7986, and what was there before
        calendar.add(name, "Earnest")
    calendar.add("refresh-interval", REFRESH, parameters={"value": "DURATION"})
    calendar.add("x-published-ttl", vDuration(REFRESH))
    due_dates = list(due_dates)
    links = {due.milestone_id: _link(due.milestone_id, milestone_url, due.url) for due in due_dates}
    for due in due_dates:
        calendar.add_component(_due(due, links[due.milestone_id]))
    for clock in clocks:
        found = (links.get(one) or _link(one, milestone_url, None) for one in clock.milestone_ids)
        calendar.add_component(_clock(clock, next((link for link in found if link), None)))
    printed: bytes = calendar.to_ical()
    return printed


def _link(milestone_id: str, pattern: str | None, otherwise: str | None) -> str | None:
    return pattern.replace("{milestoneId}", milestone_id) if pattern is not None else otherwise


def _due(due: DueDate, link: str | None) -> Event:
    event = Event()
    event.add("uid", f"{due.milestone_id}.due@earnest")
    event.add("dtstart", due.due_on)
    event.add("dtend", due.due_on + timedelta(days=1))
    event.add("summary", f"Due: {one_line(due.title)} ({one_line(due.contract_title)})")
    event.add("description", f"State: {due.state.value}. The day is one in {due.time_zone}. It never moves money.")
    return _finished(event, due, link)


def _clock(clock: Clock, link: str | None) -> Event:
    event = Event()
    event.add("uid", f"{clock.uid}@earnest")
    event.add("dtstart", clock.at)
    what = _HAPPENS.get(clock.action, clock.action)
    named = [one_line(title) for title in clock.milestones[:3]] + (["…"] if len(clock.milestones) > 3 else [])
    title = one_line(clock.contract_title)
    summary = f"{what}: {', '.join(named)} ({title})" if named else f"{what}: {title}"
    event.add("summary", summary)
    event.add("description", f"If nobody acts before: {clock.action}.")
    event.add_component(_alarm(summary))
    return _finished(event, clock, link)


def _alarm(summary: str) -> Alarm:
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("trigger", -ALARM)
    alarm.add("description", summary)
    return alarm


def _finished(event: Event, of: DueDate | Clock, link: str | None) -> Event:
    event.add("dtstamp", of.updated_at)
    event.add("last-modified", of.updated_at)
    event.add("sequence", int((of.updated_at - FIRST_SEQUENCE).total_seconds()))
    event.add("transp", "TRANSPARENT")
    if link is not None:
        event.add("url", link)
    return event
