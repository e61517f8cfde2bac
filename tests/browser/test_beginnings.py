"""How a page and its elements begin: again after a failure, and anew where something else is to be shown."""

from __future__ import annotations

import re
from typing import Any, Final

from playwright.sync_api import Route, expect

from tests.browser.conftest import NewWindow
from tests.browser.deals import handed_in, proposed
from tests.browser.elsewhere import site
from tests.browser.held import Held, operation
from tests.browser.people import at_the_console, contract
from tests.browser.served import Served

ALONE: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Alone</title>
<script type="module" src="{url}/console/earnest.js"></script>
<main><h1>Alone</h1><{element} contract="{contract}" session="{session}"></{element}></main></html>"""
UNAVAILABLE: Final = "503 (Service Unavailable)"
SET: Final = "(one, [name, value]) => one.setAttribute(name, value)"
PAID_OUT: Final = re.compile("Paid out")
LAST_SESSION: Final = "{ viewer { account { sessions(last: 1) { nodes { hint } } } } }"
TWICE: Final = """async () => {
  const { name } = performance.getEntriesByType("resource").find(({ name }) => name.endsWith("/core/dom.js"));
  const { h, patch } = await import(name);
  const list = document.createElement("ul");
  const alike = (...texts) => texts.map((text) => h("li", { key: "alike" }, text));
  patch(list, alike("one", "two"));
  const [one, two] = list.children;
  patch(list, alike("one", "two again"));
  const isKept = list.children[0] === one && list.children[1] === two;
  const texts = [...list.children].map((item) => item.textContent);
  patch(list, alike("one"));
  return [...texts, isKept, list.children.length];
}"""


def test_a_page_whose_questions_a_proxy_answered_first_comes_to_life_by_itself(
    served: Served, new_window: NewWindow
) -> None:
    deal = handed_in(served, "Behind a proxy")
    one = new_window()
    refused: set[str] = set()

    def answer(route: Route) -> None:
        name = operation(route.request)
        if name in refused:
            route.continue_()
        else:
            refused.add(name)
            route.fulfill(status=503, content_type="text/plain", body="There is no server.")

    one.page.route("**/graphql", answer)
    at_the_console(one, served, "freelancer", place=contract(deal.contract_id)).sees_all()
    assert refused > {"Viewer", "Latest", "Changes", "Milestones", "Timeline"}
    assert one.without(UNAVAILABLE) == []
    one.complaints.clear()


def test_a_timeline_that_goes_over_to_another_contract_shows_nothing_of_the_former(
    served: Served, new_window: NewWindow
) -> None:
    former, other = handed_in(served, "The former"), proposed(served, "The other")
    former.note("Of the former.")
    with site() as shop:
        ids = [former.contract_id, other.contract_id]
        made = served.session("client", contractIds=ids, origins=[shop.origin])
        shop.page = ALONE.format(url=served.url, element="earnest-timeline", contract=former.contract_id, session=made)
        one = new_window(own=(served.url,))
        questions = Held(one.page, "Timeline")
        questions.hold()
        page = one.open(shop.origin)
        questions.wait()
        page.locator("earnest-timeline").evaluate(SET, ["contract", other.contract_id])
        questions.let_go()
        expect(page.locator("[data-sequence]").first).to_be_visible()
        one.rests()
        expect(page.locator("[data-sequence]")).to_have_count(other.last_sequence())
        expect(page.get_by_text("Of the former.")).to_have_count(0)


def test_a_plan_in_another_language_follows_what_is_opened_in_it(served: Served, new_window: NewWindow) -> None:
    deal = handed_in(served, "In two languages")
    with site() as shop:
        made = served.session("client", contractIds=[deal.contract_id], origins=[shop.origin])
        shop.page = ALONE.format(url=served.url, element="earnest-milestones", contract=deal.contract_id, session=made)
        page = new_window(own=(served.url,)).open(shop.origin)
        page.locator("summary").first.click()
        expect(page.get_by_text("Here it is.")).to_be_visible()
        page.locator("earnest-milestones").evaluate(SET, ["lang", "de"])
        expect(page.get_by_text("In Prüfung")).to_be_visible()
        expect(page.get_by_text("Here it is.")).to_be_visible()
        served.do("client", "requestChanges", "milestone { id }", milestoneId=deal.milestone(), note="Once more.")
        deal.submit(message="Here it is again.")
        expect(page.get_by_text("Here it is again.")).to_be_visible()


def test_things_with_one_key_are_all_shown_however_often_they_are_drawn(served: Served, new_window: NewWindow) -> None:
    client = at_the_console(new_window(), served, "client")
    expect(client.page.get_by_role("heading").first).to_be_visible()
    assert client.page.evaluate(TWICE) == ["one", "two again", True, 1]


def test_of_more_payouts_than_are_told_there_is_no_sum(served: Served, new_window: NewWindow) -> None:
    deal = handed_in(served, "Many payouts")
    one = new_window()
    client = at_the_console(one, served, "client", place=contract(deal.contract_id))
    picture = client.page.locator("earnest-money svg")
    expect(picture).to_have_accessible_name(PAID_OUT)
    one.page.route("**/graphql", _tell_of_more)
    one.page.reload()
    client.sees_all()
    expect(picture).not_to_have_accessible_name(PAID_OUT)
    expect(picture).to_contain_text("Paid out")


def _tell_of_more(route: Route) -> None:
    """As if there were more orders of the contract than are asked for."""
    if operation(route.request) != "Money":
        route.continue_()
        return
    answer = route.fetch()
    told: dict[str, Any] = answer.json()
    told["data"]["contract"]["paymentOrders"]["pageInfo"] = {"hasPreviousPage": True}
    route.fulfill(response=answer, json=told)


def test_the_newest_session_is_shown_first(served: Served, new_window: NewWindow) -> None:
    served.session("client")
    (newest,) = served.ask("client", LAST_SESSION)["viewer"]["account"]["sessions"]["nodes"]
    client = at_the_console(new_window(), served, "client", place="#/access")
    expect(client.section("Sessions and links").get_by_role("listitem").first).to_contain_text(newest["hint"])
