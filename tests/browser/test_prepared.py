"""What an agent has prepared: its link opens a form that is filled in, and nothing happens before a person sends it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from playwright.sync_api import expect

from earnest.agents.toolbox import Tools
from earnest.api_client import Api
from tests.browser.conftest import NewWindow
from tests.browser.deals import handed_in
from tests.browser.people import at_the_console, contract
from tests.browser.served import Served


def test_a_person_confirms_what_an_agent_has_prepared(served: Served, new_window: NewWindow) -> None:
    deal = handed_in(served, "Prepared by an agent")
    tools = Tools(Api(served.url, served.keys["client"]), served.url)
    values: dict[str, Any] = {"message": "Well “done”?", "bonus": {"amount": "5.00", "currency": "USD"}}
    with ThreadPoolExecutor() as beside:  # the browser's loop runs in this thread
        prepared = beside.submit(asyncio.run, tools.prepare("APPROVE", deal.milestone(), values)).result()
    address, _, place = prepared["link"].partition("#")
    assert address == f"{served.url}/console"
    before = deal.last_sequence()

    one = new_window()
    client = at_the_console(one, served, "client", place=f"#{place}")
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
