"""What follows a contract while the web process is killed under it: the console's reader of streams, and a contract's page."""

from __future__ import annotations

from typing import Final

from playwright.sync_api import expect

from tests.browser.conftest import NewWindow
from tests.browser.deals import handed_in
from tests.browser.kills import KILLS, told
from tests.browser.people import HAPPENED, at_the_console, contract
from tests.browser.served import Served
from tests.browser.windows import NO_CONNECTION

EACH: Final = 2
"""Events that are written after each kill, the first of them as soon as somebody serves again."""

FOLLOW: Final = """async ({ token, contractId }) => {
  const { apiFor, follow } = await import("/console/earnest.js");
  window.heard = [];
  const onEvent = ({ sequence }) => window.heard.push(sequence);
  follow(apiFor(location.origin, token), { contractId, after: "cur_0000000000000", onEvent });
}"""
HEARD: Final = "(last) => window.heard.at(-1) >= last"
SEQUENCES: Final = "all => all.map((one) => Number(one.dataset.sequence))"


def test_what_happens_is_heard_and_shown_once_and_in_order_however_often_the_web_process_is_killed(
    served: Served, new_window: NewWindow
) -> None:
    deal = handed_in(served, "Crashes")
    hearing, showing = new_window(), new_window()
    reader = hearing.open(f"{served.url}/console")
    reader.evaluate(FOLLOW, {"token": served.keys["client"], "contractId": deal.contract_id})
    freelancer = at_the_console(showing, served, "freelancer", place=contract(deal.contract_id))
    freelancer.sees_milestone("Sketches", "In review")
    for number in range(KILLS):
        served.kill_web()
        for note in range(EACH):
            deal.note(f"After crash {number}: {note}.")
        reader.wait_for_function(HEARD, arg=deal.last_sequence())
        freelancer.reads(f"After crash {number}: {note}.")
    served.do("client", "approveMilestone", "contract { id }", milestoneId=deal.milestone())
    freelancer.sees_milestone("Sketches", "Paid")
    last = deal.last_sequence()
    reader.wait_for_function(HEARD, arg=last)
    heard = reader.evaluate("window.heard")
    told("a reader of streams", heard, last)
    assert heard == list(range(1, last + 1))
    entries = freelancer.section(HAPPENED).locator("[data-sequence]")
    expect(entries.first).to_have_attribute("data-sequence", str(last))
    shown = entries.evaluate_all(SEQUENCES)
    told("a timeline", shown, last)
    assert shown == list(range(last, last - len(shown), -1))
    for one in (hearing, showing):
        assert one.without(NO_CONNECTION) == []
        one.complaints.clear()
