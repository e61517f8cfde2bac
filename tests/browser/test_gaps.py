"""What happens after a page's first answer and before it listens is shown, too."""

from __future__ import annotations

import time
from typing import Final

from playwright.sync_api import Route, expect

from tests.browser.conftest import NewWindow
from tests.browser.deals import handed_in, proposed
from tests.browser.elsewhere import site
from tests.browser.held import Held, operation
from tests.browser.people import at_the_console
from tests.browser.served import Served
from tests.patience import PATIENCE_SECONDS

MANY: Final = 40
SENT: Final = "query Sent($id: ID!) { deliveries(filter: { endpointId: $id }) { nodes { state } } }"
ALONE: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>What happened</title>
<script type="module" src="{url}/console/earnest.js"></script>
<main><h1>What happened</h1><earnest-timeline contract="{contract}" session="{session}"></earnest-timeline></main></html>"""


def test_a_contract_that_is_proposed_before_the_list_of_contracts_listens_is_in_it(
    served: Served, new_window: NewWindow
) -> None:
    one = new_window()
    beginnings = Held(one.page, "Latest")
    beginnings.hold()
    client = at_the_console(one, served, "client")
    expect(client.page.locator("earnest-page-contracts").get_by_role("listitem").first).to_be_visible()
    beginnings.wait()
    proposed(served, "Proposed meanwhile")
    beginnings.let_go()
    expect(client.page.get_by_role("link", name="Proposed meanwhile")).to_be_visible()


def test_a_timeline_that_stands_alone_asks_what_was_once_it_is_told_of_what_comes(
    served: Served, new_window: NewWindow
) -> None:
    deal = handed_in(served, "Said meanwhile")
    with site() as shop:
        made = served.session("client", contractIds=[deal.contract_id], origins=[shop.origin])
        shop.page = ALONE.format(url=served.url, contract=deal.contract_id, session=made)
        one = new_window(own=(served.url,))
        happened: list[str] = []
        one.page.on("request", lambda request: happened.append(f"{operation(request)} is asked"))
        one.page.on("response", lambda response: happened.append(f"{operation(response.request)} is answered"))
        beginnings = Held(one.page, "Latest")
        beginnings.hold()
        page = one.open(shop.origin)
        beginnings.wait()
        deal.note("Meanwhile.")
        beginnings.let_go()
        expect(page.get_by_text("Meanwhile.")).to_be_visible()
        assert happened.index("Latest is answered") < happened.index("Timeline is asked")


def test_a_delivery_that_is_made_before_its_list_listens_is_in_it(served: Served, new_window: NewWindow) -> None:
    with site() as shop:
        given = {"url": f"{shop.origin}/hook", "eventTypes": ["contract.completed"]}
        made = served.do("client", "createWebhookEndpoint", "webhookEndpoint { id }", **given)
        endpoint = made["webhookEndpoint"]["id"]
        one = new_window()
        streams = Held(one.page, "Deliveries", only_streams=True)
        streams.hold()
        client = at_the_console(one, served, "client", place=f"#/deliveries/{endpoint}")
        streams.wait()
        served.do("client", "sendTestEvent", "delivery { id }", endpointId=endpoint)
        _is_delivered(served, endpoint)
        streams.let_go()
        expect(client.page.get_by_text("endpoint.test").first).to_be_visible()


def test_deliveries_by_the_dozen_are_asked_for_together_and_the_list_stays_as_long_as_it_is(
    served: Served, new_window: NewWindow
) -> None:
    with site() as shop:
        given = {"url": f"{shop.origin}/hook", "eventTypes": ["contract.completed"]}
        made = served.do("client", "createWebhookEndpoint", "webhookEndpoint { id }", **given)
        endpoint = made["webhookEndpoint"]["id"]
        one = new_window()
        client = at_the_console(one, served, "client", place=f"#/deliveries/{endpoint}")
        client.reads("Nothing was sent yet.")
        one.rests()
        asked: list[str] = []

        def answer(route: Route) -> None:
            asked.append(operation(route.request))
            route.continue_()

        one.page.route("**/graphql", answer)
        _send(served, endpoint, MANY)  # the page's questions have no answer before this is done
        sent = client.page.get_by_role("list", name="Deliveries, the newest first").locator("> li")
        expect(sent).to_have_count(25)
        more = client.page.get_by_role("button", name="More")
        more.click()
        expect(sent).to_have_count(MANY)
        expect(more).to_have_count(0)
        assert len(asked) < MANY / 2
        _send(served, endpoint, 1)
        expect(more).to_be_visible()
        expect(sent).to_have_count(MANY)


def _send(served: Served, endpoint: str, count: int) -> None:
    """Have so many test events delivered."""
    for _ in range(count):
        served.do("client", "sendTestEvent", "delivery { id }", endpointId=endpoint)
    _is_delivered(served, endpoint)


def _is_delivered(served: Served, endpoint: str) -> None:
    """Wait until what was sent to an endpoint is there, after which nothing more is told of it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while {one["state"] for one in served.ask("client", SENT, id=endpoint)["deliveries"]["nodes"]} != {"DELIVERED"}:
        assert time.monotonic() < deadline, "it is not delivered"
        time.sleep(0.05)
