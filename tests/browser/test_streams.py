"""The console's own reader of event streams, in a browser, while the web process is killed under it."""

from __future__ import annotations

from typing import Final

from tests.browser.conftest import NewWindow
from tests.browser.deals import at_work
from tests.browser.kills import KILLS, told
from tests.browser.served import Served
from tests.browser.windows import NO_CONNECTION

EACH: Final = 4
"""Events that are written between two kills, some of them while nobody serves."""

FOLLOW: Final = """async ({ token, contractId }) => {
  const { apiFor, follow } = await import("/console/earnest.js");
  window.heard = [];
  const onEvent = ({ sequence }) => window.heard.push(sequence);
  follow(apiFor(location.origin, token), { contractId, after: "cur_0000000000000", onEvent });
}"""
HEARD: Final = "(last) => window.heard.at(-1) >= last"


def test_a_page_hears_every_event_once_however_often_the_web_process_is_killed(
    served: Served, new_window: NewWindow
) -> None:
    deal = at_work(served)
    one = new_window()
    page = one.open(f"{served.url}/console")
    page.evaluate(FOLLOW, {"token": served.keys["client"], "contractId": deal.contract_id})
    for _ in range(KILLS):
        page.wait_for_function(HEARD, arg=deal.last_sequence())
        served.kill_web()
        for number in range(EACH):
            deal.note(f"Update {number}")
    last = deal.last_sequence()
    page.wait_for_function(HEARD, arg=last)
    heard = page.evaluate("window.heard")
    told("a reader of streams", heard, last)
    assert heard == list(range(1, last + 1))
    assert one.without(NO_CONNECTION) == []
    one.complaints.clear()
