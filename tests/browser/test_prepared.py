"""What an agent has prepared: its link opens a form that is filled in, and nothing happens before a person sends it."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from earnest.agents.toolbox import Tools
from earnest.api_client import Api
from tests.browser.conftest import NewWindow
from tests.browser.deals import CONTRACT, Deal, handed_in
from tests.browser.held import Held
from tests.browser.people import at_the_console, contract
from tests.browser.served import Served

PREPARED: Final = "Prepared for you"
UNKNOWN: Final = "This link asks for something that can’t be done on this page. Nothing was filled in."
UNFIT: Final = "This link names something that this can’t be done to. Nothing was filled in."
UNREADABLE: Final = "What this link would fill in can’t be read. Nothing was filled in."


def _prepared(served: Served, role: str, action: str, subject: str, values: dict[str, Any]) -> str:
    """The place of the console that an agent of somebody's makes for an action."""
    tools = Tools(Api(served.url, served.keys[role]), served.url)
    with ThreadPoolExecutor() as beside:  # the browser's loop runs in this thread
        made = beside.submit(asyncio.run, tools.prepare(action, subject, values)).result()
    address, _, place = made["link"].partition("#")
    assert address == f"{served.url}/console"
    return f"#{place}"


@pytest.fixture(scope="module")
def deal(served: Served) -> Deal:
    """A contract that no test of this module changes."""
    return handed_in(served, "Shown by odd links")


def test_a_person_confirms_what_an_agent_has_prepared(served: Served, new_window: NewWindow) -> None:
    deal = handed_in(served, "Prepared by an agent")
    values = {"message": "Well “done”?", "bonus": {"amount": "5.00", "currency": "USD"}}
    place = _prepared(served, "client", "APPROVE", deal.milestone(), values)
    before = deal.last_sequence()

    one = new_window()
    client = at_the_console(one, served, "client", place=place)
    client.reads("Prepared for you", "5.00")
    form = client.section("Prepared for you").get_by_role("form", name="Approve and pay", exact=True)
    expect(form.get_by_role("textbox", name="Message").first).to_have_value("Well “done”?")
    assert deal.last_sequence() == before
    one.is_fine()
    client.confirms(form)
    client.sees_milestone("Sketches", "Paid")


def test_a_link_to_what_is_of_another_contract_shows_nothing_to_do(served: Served, new_window: NewWindow) -> None:
    shown, other = handed_in(served, "The one that is shown"), handed_in(served, "Another one")
    place = f"{contract(shown.contract_id)}/APPROVE/{other.milestone()}"
    client = at_the_console(new_window(), served, "client", place=place)
    client.sees_milestone("Sketches", "In review")
    prepared = client.section("Prepared for you")
    expect(prepared.get_by_text("There is no such contract, or you may not see it.")).to_be_visible()
    expect(prepared.get_by_role("button")).to_have_count(0)


def test_what_is_done_to_a_contract_itself_is_prepared_too(served: Served, new_window: NewWindow) -> None:
    deal = handed_in(served, "An update that is prepared")
    one = new_window()
    freelancer = at_the_console(
        one,
        served,
        "freelancer",
        place=_prepared(served, "freelancer", "POST_UPDATE", deal.contract_id, {"message": "Half of it"}),
    )
    form = freelancer.section("Prepared for you").get_by_role("form", name="Post an update", exact=True)
    expect(form.get_by_role("textbox", name="Message").first).to_have_value("Half of it")
    freelancer.confirms(form)
    expect(freelancer.section("What happened").get_by_text("Half of it").first).to_be_visible()


ODD: Final = {
    "constructor/{milestone}": UNKNOWN,
    "__proto__/{milestone}": UNKNOWN,
    "toString/{contract}": UNKNOWN,
    "PAY_ME/{milestone}": UNKNOWN,
    "APPROVE": UNFIT,
    "APPROVE/nothing": UNFIT,
    "APPROVE/{contract}": UNFIT,
    "POST_UPDATE/{milestone}": UNFIT,
    "APPROVE/{milestone}/more": UNFIT,
    "APPROVE/{milestone}?null": UNREADABLE,
    "APPROVE/{milestone}?[1]": UNREADABLE,
    "APPROVE/{milestone}?7": UNREADABLE,
    "APPROVE/{milestone}?{{": UNREADABLE,
    "APPROVE/{milestone}?%": UNREADABLE,
}


def test_an_odd_link_says_so_and_shows_the_contract_as_ever(served: Served, new_window: NewWindow, deal: Deal) -> None:
    client = at_the_console(new_window(), served, "client", place=contract(deal.contract_id))
    for odd, said in ODD.items():
        place = odd.format(contract=deal.contract_id, milestone=deal.milestone())
        client.page.goto(f"{served.url}/console{contract(deal.contract_id)}/{place}")
        expect(client.section(PREPARED).get_by_role("alert")).to_have_text(said)
        expect(client.section(PREPARED).get_by_role("button")).to_have_count(0)
        expect(client.can("Approve and pay")).to_be_visible()


def test_what_fits_into_no_field_is_left_out_and_named(served: Served, new_window: NewWindow, deal: Deal) -> None:
    values = {
        "message": {"text": "Well done"},
        "bonus": {"amount": "5.00", "currency": "EUR"},
        "amount": {"amount": "10.00", "currency": "USD"},
        "toWhom": "me",
    }
    place = f"{contract(deal.contract_id)}/APPROVE/{deal.milestone()}?{quote(json.dumps(values))}"
    client = at_the_console(new_window(), served, "client", place=place)
    form = client.section(PREPARED).get_by_role("form", name="Approve and pay", exact=True)
    expect(form.get_by_role("status")).to_contain_text("message, bonus, toWhom")
    expect(form.get_by_role("textbox", name="Bonus")).to_have_value("")
    expect(form.get_by_role("textbox", name="Amount")).to_have_value("10.00")


def test_confirming_while_it_is_looked_ahead_waits_and_asks_to_look_again_if_sums_changed(
    served: Served, new_window: NewWindow
) -> None:
    deal = handed_in(served, "Confirmed in between")
    client = at_the_console(new_window(), served, "client", place=contract(deal.contract_id))
    previews = Held(client.page, "Preview")
    client.presses(client.can("Approve and pay"))
    client.reads("What will happen", "$200.00")
    form = client.page.get_by_role("form", name="Approve and pay", exact=True)

    def confirms_meanwhile() -> None:
        previews.wait()
        client.presses(form.get_by_role("button", name="Confirm", exact=True))
        expect(form.get_by_role("button", name="Looking ahead")).to_be_visible()
        previews.let_go()

    previews.hold()
    less = {"amount": "50.00", "currency": "USD"}
    served.do("freelancer", "giveRefund", CONTRACT, milestoneId=deal.milestone(), amount=less)
    confirms_meanwhile()
    expect(form.get_by_role("alert")).to_contain_text("What would happen has changed.")
    client.reads("$150.00")
    client.sees_milestone("Sketches", "In review")

    client.reads("Refund paid")
    previews.hold()
    deal.note("Nothing that moves money.")
    confirms_meanwhile()
    client.sees_milestone("Sketches", "Paid")
    expect(form).to_have_count(0)
