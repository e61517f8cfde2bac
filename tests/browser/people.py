"""People at the console, who know what they see: the words on buttons, links and fields, and nothing of what is behind them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from playwright.sync_api import Locator, Page, expect

from tests.browser.served import Served
from tests.browser.windows import Window, signed_in

DOING: Final = "What you can do"
MILESTONES: Final = "Milestones"
HAPPENED: Final = "What happened"
PARTS: Final = ("contract", "deadline", "actions", "milestones", "money", "timeline")
"""Elements on the page of every contract; each comes with a module of its own."""

STEPS_MAX: Final = 400
"""More steps by the tabulator than any page here takes to come round again."""

PRESSES_MAX: Final = 10
"""More often than anything happens that changes what a form would do, while somebody looks at it."""

UNDER_WAY: Final = re.compile("Sending|Looking ahead")
"""What a button says that was pressed, until the form is gone or wants to be looked at once more."""

_ISOLATED: Final = "[\u2066-\u2069]?"
"""What stands around somebody's words and sums in a sentence, and isn't seen."""


def worded(text: str) -> re.Pattern[str]:
    """A text as it is seen."""
    return re.compile(_ISOLATED.join(map(re.escape, text)))


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody before a window, with hands for a mouse."""

    window: Window
    page: Page

    def presses(self, button: Locator) -> None:
        """Use a button or a link."""
        button.click()

    def writes(self, field: Locator, text: str) -> None:
        """Put a text into a field, in place of what is there."""
        field.fill(text)

    def dates(self, field: Locator, day: date) -> None:
        """Put a day into a field."""
        field.fill(day.isoformat())

    def slides(self, slider: Locator, value: int) -> None:
        """Move a slider."""
        slider.fill(str(value))

    def goes(self, place: str) -> None:
        """Go to a place of the console, and wait until it is shown whole."""
        self.page.goto(f"{self.page.url.partition('#')[0]}{place}")
        expect(self.page.locator(f"earnest-page-{place.removeprefix('#/')} .root > .stack")).to_be_visible()

    def section(self, name: str) -> Locator:
        """A part of the page by its heading."""
        return self.page.get_by_role("region", name=name, exact=True).first

    def can(self, action: str) -> Locator:
        """The button for something."""
        return self.section(DOING).get_by_role("button", name=action, exact=True).first

    def does(self, action: str, **fields: str) -> None:
        """Take an action: fill in its form, look at what would happen, and confirm."""
        self.presses(self.can(action))
        self.fills(action, **fields)

    def fills(self, action: str, **fields: str) -> None:
        """Fill in the form that is open, and confirm it; fields are named by their labels, `_` for a space."""
        form = self.page.get_by_role("form", name=action, exact=True)
        for label, value in fields.items():
            self.writes(form.get_by_role("textbox", name=label.replace("_", " ")).first, value)
        self.confirms(form)

    def confirms(self, form: Locator) -> None:
        """Press the button; again, if the form stays, since something had happened that changes what will be."""
        for _ in range(PRESSES_MAX):
            self.presses(form.get_by_role("button", name="Confirm", exact=True))
            expect(form.get_by_role("button", name=UNDER_WAY)).to_have_count(0)
            if form.count() == 0:  # it goes away at once with the answer
                return
        raise AssertionError(f"it stays: {form.inner_text()}")

    def plans(self, row: int, *, title: str, price: str, days: int) -> None:
        """Write one milestone of a plan."""
        milestone = self.milestone(row)
        due = (datetime.now(UTC) + timedelta(days=days)).date()
        self.writes(milestone.get_by_label("Title"), title)
        self.writes(milestone.get_by_label("Purpose"), f"{title} is there")
        self.writes(milestone.get_by_label("Amount (USD)"), price)
        self.dates(milestone.get_by_label("Due date"), due)
        self.writes(milestone.get_by_label("Deliverables"), f"{title} as PDF")

    def milestone(self, row: int) -> Locator:
        """A milestone of a plan that is being written."""
        return self.page.get_by_role("listitem", name=worded(f"Milestone {row}:"))

    def sees_milestone(self, title: str, state: str) -> None:
        """Wait until the plan says of a milestone that it is so."""
        row = self.section(MILESTONES).get_by_role("listitem").filter(has_text=title).first
        expect(row.get_by_text(state, exact=True).first).to_be_visible()

    def sees_all(self) -> None:
        """Wait until the page of a contract shows each part of it, hears what happens, and asks nothing more."""
        for part in PARTS:
            expect(self.page.locator(f"earnest-{part} .root > :not([aria-busy])").first).to_be_visible()
        expect(self.page.locator("[part=connection]")).to_have_text("Live")
        self.window.rests()

    def reads(self, *texts: str) -> None:
        """Wait until the page says each of it."""
        for text in texts:
            expect(self.page.get_by_text(worded(text)).filter(visible=True).first).to_be_visible()


class Typist(Person):
    """Somebody with a keyboard and no mouse."""

    def presses(self, button: Locator) -> None:
        self._reaches(button)
        expect(button).to_be_enabled()
        self.page.keyboard.press("Enter")

    def writes(self, field: Locator, text: str) -> None:
        self._reaches(field)
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(text)

    def dates(self, field: Locator, day: date) -> None:
        self._reaches(field)
        self.page.keyboard.type(f"{day:%m%d%Y}")

    def slides(self, slider: Locator, value: int) -> None:
        self._reaches(slider)
        self.page.keyboard.press("Home")
        for _ in range(value):
            self.page.keyboard.press("ArrowRight")

    def _reaches(self, wanted: Locator) -> None:
        """Go on by the tabulator until it has the focus, and can be used."""
        expect(wanted).to_be_visible()
        expect(wanted).to_be_enabled()
        for _ in range(STEPS_MAX):
            if wanted.evaluate("one => one.getRootNode().activeElement === one"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"the tabulator doesn't lead to {wanted}")


def at_the_console(
    window: Window, served: Served, role: str, *, place: str = "", kind: type[Person] = Person
) -> Person:
    """One of the demo's people, signed in, at a place of the console."""
    signed_in(window, served.keys[role])
    return kind(window, window.open(f"{served.url}/console{place}"))


def contract(deal_id: str) -> str:
    """The place of a contract."""
    return f"#/contracts/{deal_id}"
