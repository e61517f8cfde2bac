"""What an agent has prepared: its link opens a form that is filled in, and nothing happens before a person sends it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from earnest.agents.toolbox import Tools
from earnest.api_client import Api
from tests.browser.conftest import NewWindow
from tests.browser.deals import handed_in
from tests.browser.people import at_the_console
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
