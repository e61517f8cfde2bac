"""The operator's page: what waits for a person is found, whichever contract it is of, and resolved there."""

from __future__ import annotations

from typing import Final

from playwright.sync_api import Route, expect

from tests.browser.conftest import NewWindow
from tests.browser.deals import CONTRACT, proposed
from tests.browser.held import operation
from tests.browser.people import at_the_console, contract
from tests.browser.served import Served

REFUNDS: Final = "query Refunds($id: ID!) { contract(id: $id) { refunds: refundRequests { nodes { id } } } }"


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


def test_whoever_decides_many_disputes_of_a_contract_at_once_sees_each(served: Served, new_window: NewWindow) -> None:
    deal = proposed(served, "Argued about everywhere")
    deal.accept()
    served.do("client", "fundContract", CONTRACT, contractId=deal.contract_id, paymentToken="tok_ok")
    deal.reaches(3, "FUNDED")
    served.do("client", "endContract", CONTRACT, contractId=deal.contract_id)
    for number, refund in enumerate(served.ask("client", REFUNDS, id=deal.contract_id)["contract"]["refunds"]["nodes"]):
        served.do("freelancer", "declineRefund", "dispute { id }", refundId=refund["id"], reason=f"Reason {number}.")
    one = new_window()
    mediator = at_the_console(one, served, "mediator", place=contract(deal.contract_id))
    disputes = mediator.section("Disputes")
    expect(disputes.get_by_text("Reason 1.")).to_be_visible()
    expect(disputes.get_by_text("Reason 0.")).to_have_count(0)
    mediator.presses(disputes.get_by_role("button", name="Earlier"))
    for number in range(3):
        expect(disputes.get_by_text(f"Reason {number}.")).to_be_visible()
    expect(disputes.get_by_role("button", name="Earlier")).to_have_count(0)
    one.is_fine()


def _as_if_the_session_could_decide(route: Route) -> None:
    """Links that the command line makes have each scope that some account could use."""
    if operation(route.request) != "Viewer":
        route.continue_()
        return
    answer = route.fetch()
    told = answer.json()
    told["data"]["viewer"]["scopes"].append("DISPUTES_DECIDE")
    route.fulfill(response=answer, json=told)
