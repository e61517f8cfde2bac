"""What an agent has prepared: its link opens a form that is filled in, and nothing happens before a person sends it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from playwright.sync_api import expect

from earnest.agents.toolbox import Tools
from earnest.api_client import Api
from tests.browser.conftest import NewWindow
from tests.browser.deals import Deal, handed_in
from tests.browser.people import at_the_console, contract
from tests.browser.served import Served


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
    assert form.get_by_role("textbox", name="Message").first.input_value() == "Well “done”?"
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


ODD = (
    "constructor/{milestone}", "__proto__/{milestone}", "toString/{contract}", "APPROVE", "APPROVE/{milestone}?null",
    "APPROVE/{milestone}?[1]", "APPROVE/{milestone}?7", "APPROVE/{milestone}?{{", "APPROVE/{milestone}?%",
)  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_link_shows_the_contract_as_ever(served: Served, new_window: NewWindow, deal: Deal, odd: str) -> None:
    place = odd.format(contract=deal.contract_id, milestone=deal.milestone())
    client = at_the_console(new_window(), served, "client", place=f"{contract(deal.contract_id)}/{place}")
    client.sees_milestone("Sketches", "In review")
    expect(client.can("Approve and pay")).to_be_visible()
