"""Every page of the console: readable at a desk, at twice the size, in the dark, on a phone, and from right to left."""

from __future__ import annotations

from typing import Final

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewWindow
from tests.browser.deals import Deal, proposed
from tests.browser.people import at_the_console, contract
from tests.browser.rich import everything
from tests.browser.served import Served
from tests.browser.windows import LOOKS, Look

PLACES: Final = {
    "client": ("#/contracts", "#/propose", "#/money", "#/deliveries", "#/access", "#/calendar"),
    "operator": ("#/operator", "#/contracts"),
}
SPEAKING: Final = LOOKS | {
    "in German": Look(language="de-DE"),
    "in Arabic, on a phone, in the dark": Look(language="ar-EG", width=360, height=740, touch=True, dark=True),
}


@pytest.fixture(scope="module")
def deal(served: Served) -> Deal:
    return everything(served, "Everything in it")


@pytest.mark.parametrize("look", SPEAKING)
def test_every_page_of_the_console_is_usable_for_everybody(
    served: Served, new_window: NewWindow, deal: Deal, look: str
) -> None:
    found = {}
    for role, places in PLACES.items():
        one = new_window(SPEAKING[look])
        person = at_the_console(one, served, role)
        for place in places:
            person.goes(place)
            found[f"{role} {place}"] = one.audited()
    one = new_window(SPEAKING[look])
    person = at_the_console(one, served, "freelancer", place=contract(deal.contract_id))
    expect(person.page.locator("earnest-timeline [data-sequence]").first).to_be_visible()
    found["a contract"] = one.audited()
    assert not any(found.values()), "\n".join(f"{page}: {one}" for page, faults in found.items() for one in faults)


def test_an_account_is_told_to_the_payment_provider_from_a_page_that_it_cannot_lead_back_to(
    served: Served, new_window: NewWindow
) -> None:
    freelancer = at_the_console(new_window(), served, "freelancer", place="#/money")
    freelancer.presses(freelancer.page.get_by_role("button", name="Tell the payment provider"))
    expect(freelancer.page.get_by_role("link", name="To the provider’s page")).to_be_visible()


def test_two_hundred_milestones_are_shown_and_found(served: Served, new_window: NewWindow) -> None:
    titles = [f"Step {number}" for number in range(1, 201)]
    deal = proposed(served, "Two hundred steps", titles)
    one = new_window(Look(width=360, height=740, touch=True))
    person = at_the_console(one, served, "client", place=contract(deal.contract_id))
    rows = person.page.locator("earnest-milestones").get_by_role("listitem")
    expect(rows).to_have_count(200)
    served.do("freelancer", "acceptContract", "contract { id }", contractId=deal.contract_id, revision=1)
    person.reads("Active")
    one.is_fine()
