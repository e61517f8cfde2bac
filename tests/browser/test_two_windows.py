"""Client and freelancer, each before a window of their own: what one does the other sees."""

from __future__ import annotations

from typing import Final

from playwright.sync_api import Route, expect

from tests.browser.conftest import NewWindow
from tests.browser.deals import at_work, handed_in
from tests.browser.people import HAPPENED, MILESTONES, Person, at_the_console, contract
from tests.browser.served import Served
from tests.browser.windows import NO_CONNECTION

MILESTONE: Final = "query Milestone($id: ID!) { milestone(id: $id) { title amount { amount currency } deliverables } }"


def test_an_approval_in_one_window_shows_in_the_other_without_a_reload(served: Served, new_window: NewWindow) -> None:
    deal = handed_in(served, "Two windows")
    client = at_the_console(new_window(), served, "client", place=contract(deal.contract_id))
    freelancer = at_the_console(new_window(), served, "freelancer", place=contract(deal.contract_id))
    freelancer.sees_milestone("Sketches", "In review")
    freelancer.page.evaluate("window.before = true")
    client.does("Approve and pay")
    freelancer.sees_milestone("Sketches", "Paid")
    client.sees_milestone("Sketches", "Paid")
    assert freelancer.page.evaluate("window.before") is True


def test_what_somebody_did_not_touch_of_a_form_follows_what_is(served: Served, new_window: NewWindow) -> None:
    deal = at_work(served, "Two windows of one side")
    client = at_the_console(new_window(), served, "client", place=contract(deal.contract_id))
    client.section(MILESTONES).get_by_text("Details and actions").nth(1).click()
    client.presses(client.section(MILESTONES).get_by_role("button", name="Edit milestone", exact=True))
    form = client.page.get_by_role("form", name="Edit milestone", exact=True)
    expect(form.get_by_text("Leave it empty")).to_have_count(0)
    client.writes(form.get_by_role("textbox", name="Title"), "Better drafts")
    client.writes(form.get_by_role("textbox", name="Deliverables"), "")
    more = {"amount": "300.00", "currency": "USD"}
    served.do("client", "editMilestone", "milestone { id }", milestoneId=deal.milestone(2), amount=more)
    expect(form.get_by_role("textbox", name="Amount")).to_have_value("300.00")
    expect(form.get_by_role("textbox", name="Title")).to_have_value("Better drafts")
    client.confirms(form)
    client.reads("Done: Edit milestone.")
    told = served.ask("client", MILESTONE, id=deal.milestone(2))["milestone"]
    assert told == {"title": "Better drafts", "amount": more, "deliverables": []}


def test_a_page_that_nobody_answered_comes_to_life_by_itself(served: Served, new_window: NewWindow) -> None:
    deal = handed_in(served, "Nobody there")
    one = new_window()
    one.page.route("**/graphql", lambda route: route.abort())
    freelancer = at_the_console(one, served, "freelancer", place=contract(deal.contract_id))
    _is_lost(freelancer)
    _comes_back(freelancer)
    one.page.route("**/graphql", _unless_it_asks_who_is_there)
    one.page.reload()
    _is_lost(freelancer)
    _comes_back(freelancer)
    assert one.without(NO_CONNECTION) == []
    one.complaints.clear()


def _unless_it_asks_who_is_there(route: Route) -> None:
    """The frame of the console is answered, what is inside isn't."""
    if "query Viewer " in (route.request.post_data or ""):
        route.continue_()
    else:
        route.abort()


def _is_lost(person: Person) -> None:
    expect(person.page.get_by_role("alert").first).to_contain_text("The server can’t be reached.")


def _comes_back(person: Person) -> None:
    person.page.unroute("**/graphql")
    person.sees_milestone("Sketches", "In review")
    expect(person.section(HAPPENED).locator("[data-sequence]").first).to_be_visible()
