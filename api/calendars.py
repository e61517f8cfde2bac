"""Serves `GET /calendar/{token}.ics`: an account's due dates and deadlines, for calendar programs that subscribe to them.

Whoever has the address of a calendar pays for it like for any other request: its account does. One that is none is paid for by
where it came from. What is in it may be long, so it is read and printed in the annex.

A due date is a whole day; as the parties agreed on it, in the time zone of its contract. A deadline is a moment. Each has
an identifier of its own for ever, so that a program moves what moved and drops what is over.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from icalendar import Alarm, Calendar, Event, vDuration
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from api.arrivals import address_of
from api.etags import is_known, tag_of
from api.live.door import Door
from api.rates.budgets import client_of
from api.tolls import told_to_wait
from escrow import calendars
from escrow.access import Actor
from escrow.annex import Crowded
from escrow.calendars import Clock, DueDate
from escrow.writing import one_line
from schema.engine.budget import OverBudget

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


ASKED: Final = 150
"""What a calendar costs before it is known how much is in it: an operation of three statements."""

ENTRY: Final = 15
"""What each of its entries costs, which are printed line by line."""

MILESTONE: Final = 3
"""What each milestone costs that was read to find the clocks."""


@dataclass(frozen=True, slots=True)
class _Printed:
    """A calendar as it is sent, and what it cost beyond `ASKED`."""

    body: bytes
    points: int


async def calendar_feed(request: Request) -> Response:
    """The calendar of whoever the token was made for; 404 for one that was revoked, replaced, or never made.

    429 where nothing is left to pay it from.
    """
    door: Door = request.app.state.door
    address = address_of(request.scope)
    try:
        reader = await _reader(door, request.path_params["token"], address)
        if reader is None:
            return PlainTextResponse("There is no such calendar.\n", 404, headers={"cache-control": "no-store"})
        printed = await _paid(door, reader, address)
    except OverBudget as over:
        return told_to_wait(over)
    return _answer(printed, request.headers.get("if-none-match", ""))


async def _reader(door: Door, token: str, address: str) -> Actor | None:
    """Whose calendar it is; a token that is none is paid for by the address that shows it, and told at its pace."""
    client = client_of(address)
    if door.rates.is_barred(address):
        await door.rates.pause(client)
    reader = await calendars.reader_of(token)
    if reader is None:
        door.refusals.note(client, "no such calendar")
        await door.rates.wrong_key(address)
        await door.rates.pause(client)
    return reader


async def _paid(door: Door, reader: Actor, address: str) -> bytes:
    """The calendar, paid from what its account has left. Raises `OverBudget`, at the account's pace."""
    budget = door.rates.budget(reader, address)
    try:
        if budget is not None:
            await budget.spend(ASKED)
        printed = await _printed(door, reader)
    except OverBudget:
        await door.rates.pause(budget.client if budget is not None else "")
        raise
    if budget is not None:
        budget.charge(printed.points)
    return printed.body


async def _printed(door: Door, reader: Actor) -> _Printed:
    async def there() -> _Printed:
        due_dates, running = await calendars.due_dates(reader), await calendars.clocks(reader)
        entries = len(due_dates) + len(running.clocks)
        body = calendar_of(due_dates, running.clocks, door.milestone_url)
        return _Printed(body, ENTRY * entries + MILESTONE * running.milestones)

    if door.annex is None:
        return await there()
    try:
        return await door.annex.run(there, owner=reader.account_id)
    except Crowded:
        raise OverBudget.crowded() from None


def _answer(body: bytes, known: str) -> Response:
    tag = tag_of(body)
    headers = {
        "etag": tag,
        "cache-control": f"private, max-age={FRESH_SECONDS}",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
    }
    if is_known(known, tag):
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
