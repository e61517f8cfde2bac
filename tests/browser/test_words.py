"""Words that were written to do harm, on every page and in every text of them: they are read, and do nothing."""

from __future__ import annotations

from typing import Final

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewWindow
from tests.browser.deals import Deal
from tests.browser.hostile import MARKUP, RUNS, TURNED, WORDS, harm, poison
from tests.browser.people import at_the_console, contract
from tests.browser.rich import everything
from tests.browser.served import Served

PLACES: Final = {
    "client": ("#/contracts", "#/propose", "#/money", "#/deliveries", "#/access", "#/calendar"),
    "operator": ("#/operator",),
}


@pytest.fixture(scope="module")
def deal(served: Served) -> Deal:
    return everything(served, "Hostile words")


@pytest.mark.parametrize("role", PLACES)
def test_words_of_others_are_shown_on_every_page_and_do_nothing(
    served: Served, new_window: NewWindow, deal: Deal, role: str
) -> None:
    one = new_window()
    changed = poison(one.page)
    person = at_the_console(one, served, role)
    for place in PLACES[role]:
        person.goes(place)
        assert list(harm(person.page)) == [], place
    assert changed
    expect(person.page.get_by_text(MARKUP).first).to_be_visible()


def test_words_of_others_are_shown_on_a_contract_and_do_nothing(
    served: Served, new_window: NewWindow, deal: Deal
) -> None:
    one = new_window()
    changed = poison(one.page)
    person = at_the_console(one, served, "client", place=contract(deal.contract_id))
    expect(person.page.get_by_role("heading", level=2)).to_contain_text(WORDS)
    person.sees_all()
    more = person.page.locator("earnest-milestones details > summary")
    for details in more.all():
        details.click()
    expect(person.page.get_by_text(RUNS).first).to_be_visible()
    assert list(harm(person.page)) == []
    assert len(changed) > 50
    expect(person.page.get_by_role("link", name=RUNS)).to_have_count(0)


def test_words_that_the_api_takes_are_shown_as_they_were_written(served: Served, new_window: NewWindow) -> None:
    deal = everything(served, "As it was written", words=MARKUP)
    one = new_window()
    person = at_the_console(one, served, "freelancer", place=contract(deal.contract_id))
    expect(person.page.get_by_text(MARKUP).first).to_be_visible()
    assert list(harm(person.page)) == []


def test_a_page_that_took_words_as_markup_would_be_noticed(new_window: NewWindow) -> None:
    page = new_window().page
    page.set_content("<p></p>")
    page.evaluate("(words) => (document.querySelector('p').innerHTML = words)", f"{WORDS}<a href='{RUNS}'>here</a>")
    page.wait_for_function("window.owned === 1")
    found = " ".join(harm(page))
    assert all(one in found for one in ("ran as a script", "<svg", "<img", "<b>", "javascript:"))
    page.set_content("<p>It is <span></span> for sure.</p>")
    page.evaluate("(words) => (document.querySelector('span').textContent = words)", TURNED)
    assert "turn what stands beside them" in " ".join(harm(page))
