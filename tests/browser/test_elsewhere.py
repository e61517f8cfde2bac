"""A partner's page: five lines of HTML on another origin show a live contract, where its session allows that origin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewWindow
from tests.browser.deals import Deal, handed_in
from tests.browser.elsewhere import Site, site
from tests.browser.served import Served

FIVE_LINES: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>A shop</title>
<script type="module" src="{url}/console/earnest.js"></script>
<main><h1>Your order</h1><earnest-contract contract="{contract}" session="{session}"></earnest-contract></main>
</html>"""

FORBIDDEN: Final = "403 (Forbidden)"


@pytest.fixture
def shop() -> Iterator[Site]:
    with site() as one:
        yield one


def _page(served: Served, deal: Deal, *, origins: list[str]) -> str:
    made = served.session("client", contractIds=[deal.contract_id], origins=origins)
    return FIVE_LINES.format(url=served.url, contract=deal.contract_id, session=made)


def test_five_lines_of_html_on_another_origin_show_a_live_contract(
    served: Served, new_window: NewWindow, shop: Site
) -> None:
    deal = handed_in(served, "A shop window")
    shop.page = _page(served, deal, origins=[shop.origin])
    one = new_window(own=(served.url,))
    page = one.open(shop.origin)
    expect(page.get_by_text("A shop window").first).to_be_visible()
    expect(page.get_by_text("In review").first).to_be_visible()
    served.do("client", "approveMilestone", "contract { id }", milestoneId=deal.milestone())
    expect(page.get_by_text("Paid").first).to_be_visible()
    one.is_fine()
    assert one.referrers <= {f"{shop.origin}/"}


def test_a_page_of_an_origin_that_the_session_does_not_name_shows_nothing(
    served: Served, new_window: NewWindow, shop: Site
) -> None:
    deal = handed_in(served, "A shop window")
    shop.page = _page(served, deal, origins=["https://another.example"])
    one = new_window(own=(served.url,))
    page = one.open(shop.origin)
    expect(page.get_by_role("alert").first).to_contain_text("This session may not do this.")
    expect(page.get_by_text("A shop window")).to_have_count(0)
    assert one.without(FORBIDDEN) == []
    one.complaints.clear()
