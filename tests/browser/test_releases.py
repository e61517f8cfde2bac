"""A page that is open while the deployment gets another release."""

from __future__ import annotations

import re
from typing import Final

from playwright.sync_api import expect

from tests.browser.conftest import NewWindow
from tests.browser.deals import handed_in
from tests.browser.people import at_the_console, contract
from tests.browser.served import Served

OF_A_RELEASE: Final = re.compile(r"/console/[0-9a-f]{12}/")
LOADED: Final = """(count) => performance.getEntriesByType("resource")
  .filter(({ name }) => name.includes("/console/")).length >= count"""


def test_a_page_of_an_earlier_release_says_so_and_goes_on_with_the_new_one(
    served: Served, new_window: NewWindow
) -> None:
    deal = handed_in(served, "Between releases")
    one = new_window()
    client = at_the_console(one, served, "client", place=contract(deal.contract_id))
    client.sees_all()
    one.page.route(OF_A_RELEASE, lambda route: route.fulfill(status=410))
    client.presses(client.can("Approve and pay"))
    said = one.page.get_by_role("status").filter(has_text="A newer version is there")
    expect(said).to_have_count(1)
    one.is_fine()
    one.page.unroute(OF_A_RELEASE)
    said.get_by_role("button", name="Load it").click()
    expect(said).to_have_count(0)
    client.does("Approve and pay")
    client.sees_milestone("Sketches", "Paid")
    assert one.without("410 (Gone)") == []
    one.complaints.clear()


def test_all_modules_of_a_page_are_of_one_release_and_a_second_visit_asks_for_none(
    served: Served, new_window: NewWindow
) -> None:
    deal = handed_in(served, "One release")
    one = new_window()
    client = at_the_console(one, served, "client", place=contract(deal.contract_id))
    client.sees_all()
    modules = [address for address in one.asked if OF_A_RELEASE.search(address)]
    releases = {found[0] for address in modules if (found := OF_A_RELEASE.search(address))}
    assert len(releases) == 1
    assert len(modules) > 20
    one.page.wait_for_function(LOADED, arg=len(modules))
    one.page.reload()
    client.sees_all()
    sent = one.page.evaluate(
        """(release) => performance.getEntriesByType("resource")
          .filter(({ name, transferSize }) => name.includes(release) && transferSize > 0).map(({ name }) => name)""",
        releases.pop(),
    )
    assert sent == []
