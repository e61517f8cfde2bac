"""The operator's page: what waits for a person is found, whichever contract it is of, and resolved there."""

from __future__ import annotations

from playwright.sync_api import Route, expect

from tests.browser.conftest import NewWindow
from tests.browser.deals import CONTRACT, proposed
from tests.browser.held import operation
from tests.browser.people import at_the_console
from tests.browser.served import Served


def test_a_deposit_that_was_taken_back_is_found_and_resolved(served: Served, new_window: NewWindow) -> None:
    deal = proposed(served, "Taken back by the bank", ("Sketches",))
    deal.accept()
    served.do("client", "fundMilestone", CONTRACT, milestoneId=deal.milestone(), paymentToken="tok_reverse")
    one = new_window()
    operator = at_the_console(one, served, "operator", place="#/operator")
    reversals = operator.section("Deposits that were taken back").get_by_role("listitem")
    reversal = reversals.filter(has_text="Taken back by the bank")
    expect(reversal).to_be_visible()
    operator.presses(reversal.get_by_role("button", name="Act …"))
    operator.presses(reversal.get_by_role("button", name="Resolve reversal"))
    one.is_fine()
    reversal.get_by_role("combobox", name="Outcome").select_option("Won")
    operator.reads("What will happen")
    operator.confirms(reversal.get_by_role("form", name="Resolve reversal"))
    expect(reversal).to_have_count(0)


def test_the_page_is_offered_to_those_who_can_decide_something_there(served: Served, new_window: NewWindow) -> None:
    for role, is_offered in (("client", 0), ("mediator", 1), ("operator", 1)):
        one = new_window()
        one.page.route("**/graphql", _as_if_the_session_could_decide)
        person = at_the_console(one, served, role)
        pages = person.page.get_by_role("navigation", name="Pages")
        expect(pages.get_by_role("link", name="Documents")).to_be_visible()
        expect(pages.get_by_role("link", name="Operation", exact=True)).to_have_count(is_offered)


def _as_if_the_session_could_decide(route: Route) -> None:
    """Links that the command line makes have each scope that some account could use."""
    if operation(route.request) != "Viewer":
        route.continue_()
        return
    answer = route.fetch()
    told = answer.json()
    told["data"]["viewer"]["scopes"].append("DISPUTES_DECIDE")
    route.fulfill(response=answer, json=told)
