"""A plan as a file, for people without a tool: CSV out and in, iCalendar out and in.

A row or an entry of ours bears the milestone's id, so what comes back is known again. New rows need a price; what a file
says about amounts of milestones that are there is not looked at.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, Final

from icalendar import Calendar, Event

from connectors import footer
from connectors.sides import Card, Field, Ours, OurSide, Theirs, TheirSide, canonical

COLUMNS: Final = ("milestone", "title", "purpose", "due_on", "amount", "state")
_FORMULA: Final = ("=", "+", "-", "@", "\t")
"""What a spreadsheet would compute if a text began with it."""


class FileUnreadable(Exception):
    """It isn't what it should be; the message is one line."""


def to_csv(ours: OurSide) -> str:
    """The plan as a table; texts that look like formulas have an apostrophe before them."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for one in _shown(ours):
        amount, _, state = one.facts.partition(", ")
        row = [one.id, *(one.values[name] for name in (Field.TITLE, Field.PURPOSE, Field.DUE_ON)), amount, state]
        writer.writerow([f"'{cell}" if _is_computed(cell.lstrip("'")) else cell for cell in row])
    return out.getvalue()


def decoded(written: bytes) -> str:
    """The text of a file. Raises `FileUnreadable` for one in another encoding: what was guessed would be in the plan."""
    try:
        return written.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FileUnreadable("it isn't in UTF-8; spreadsheets offer “CSV UTF-8” to save it as") from None


def from_csv(text: str) -> TheirSide:
    """The rows of a table with at least a title and a due date in its columns. Raises `FileUnreadable`."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=None))
    try:
        names, rows = reader.fieldnames or (), list(reader)
    except csv.Error as error:
        raise FileUnreadable(f"no CSV: {error}") from None
    if not {"title", "due_on"} <= set(names):
        raise FileUnreadable(f"the first line must name the columns: {', '.join(COLUMNS)}")
    items = {}
    for number, row in enumerate(rows, start=2):
        cells = {name: canonical(row.get(name)) for name in COLUMNS}
        said = {
            name: cell[1:] if cell[:1] == "'" and _is_computed(cell.lstrip("'")) else cell
            for name, cell in cells.items()
        }
        due_on = _date(said["due_on"], f"line {number}")
        values = {Field.TITLE: said["title"], Field.PURPOSE: said["purpose"], Field.DUE_ON: due_on}
        items[f"line-{number}"] = Theirs(
            id=f"line-{number}",
            values=values,
            mark=said["milestone"] or None,
            price=footer.price(said["amount"]),
        )
    return TheirSide(items=items)


def to_calendar(ours: OurSide) -> bytes:
    """The due dates of the plan as whole days."""
    calendar = Calendar()
    calendar.add("prodid", "-//Earnest//connectors//EN")
    calendar.add("version", "2.0")
    for one in _shown(ours):
        event = Event()
        event.add("uid", f"{one.id}@earnest")
        event.add("dtstamp", one.updated_at)
        event.add("dtstart", date.fromisoformat(one.values[Field.DUE_ON]))
        event.add("summary", one.values[Field.TITLE])
        event.add(
            "description", footer.joined(Card(values=one.values, mark=one.id, facts=one.facts, is_done=one.is_over))
        )
        calendar.add_component(event)
    return bytes(calendar.to_ical())


def from_calendar(text: bytes) -> TheirSide:
    """The entries of a calendar. Raises `FileUnreadable`."""
    try:
        found = list(Calendar.from_ical(text).walk("VEVENT"))
    except ValueError as error:
        raise FileUnreadable(f"no calendar: {error}") from None
    return TheirSide(items={item.id: item for item in map(_entry, found)})


def _entry(event: Any) -> Theirs:
    parts = footer.split(str(event.get("description", "")))
    start = event.decoded("dtstart", None)
    if start is None:
        raise FileUnreadable("an entry has no date")
    due_on = (start.date() if isinstance(start, datetime) else start).isoformat()
    title = canonical(str(event.get("summary", "")))
    values = {Field.TITLE: title, Field.PURPOSE: parts.purpose, Field.DUE_ON: due_on}
    uid = str(event.get("uid", title))
    mark = parts.mark or (uid.partition("@")[0] if uid.endswith("@earnest") else None)
    return Theirs(id=uid, values=values, mark=mark, price=parts.price)


def _is_computed(cell: str) -> bool:
    return cell.startswith(_FORMULA)


def _date(text: str, where: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise FileUnreadable(f"{where}: the due date is {text!r}; it must be like 2027-03-31") from None


def _shown(ours: OurSide) -> Iterable[Ours]:
    return (one for one in ours.items.values() if not one.is_dropped)
