"""A plan that somebody writes: what isn't an amount is said, what stays as it is, too, and what was sent isn't sent again."""

from __future__ import annotations

from typing import Any, Final

from playwright.sync_api import expect

from tests.browser.conftest import NewWindow
from tests.browser.deals import proposed
from tests.browser.elsewhere import site
from tests.browser.people import Person, at_the_console, contract
from tests.browser.served import Served
from tests.browser.windows import Look

ALONE: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>A shop</title>
<script type="module" src="{url}/console/earnest.js"></script>
<main><h1>Propose</h1><earnest-plan-editor client="{client}" freelancer="{freelancer}" currency="USD" session="{session}">
</earnest-plan-editor></main></html>"""
TITLES: Final = "{ contracts(first: 100) { nodes { title progress { amount { amount } } } } }"
FOR_ANOTHER: Final = {"title": "For another one", "progress": {"amount": {"amount": "100.00"}}}
CONTRACTS: Final = "{ contracts(first: 100) { nodes { title budget { amount } } } }"


def test_an_editor_that_stands_alone_says_what_is_no_budget_and_begins_anew_once_it_has_proposed(
    served: Served, new_window: NewWindow
) -> None:
    with site() as shop:
        scopes = ["CONTRACTS_READ", "CONTRACTS_WRITE"]
        sides = {side: served.account(side) for side in ("client", "freelancer")}
        shop.page = ALONE.format(
            url=served.url, session=served.session("client", scopes=scopes, origins=[shop.origin]), **sides
        )
        one = new_window(own=(served.url,))
        client = Person(one, one.open(shop.origin))
        form = client.page.get_by_role("form", name="Propose a contract")
        title, budget = (form.get_by_role("textbox", name=name).first for name in ("Title", "Budget"))
        client.writes(title, "From a shop")
        client.writes(budget, "a lot")
        client.plans(1, title="Sketches", price="1,250.50", days=20)
        client.presses(form.get_by_role("button", name="Confirm"))
        expect(budget).to_have_attribute("aria-invalid", "true")
        expect(form.get_by_role("alert")).to_contain_text("This can’t be read.")
        assert _titled(served, "From a shop") == []

        client.writes(budget, "2000")
        client.presses(form.get_by_role("button", name="Confirm"))
        expect(form.get_by_role("status").filter(has_text="Done")).to_be_visible()
        expect(title).to_have_value("")
        assert _titled(served, "From a shop") == [{"title": "From a shop", "budget": {"amount": "2000.00"}}]
        one.is_fine()


def test_a_plan_stays_when_it_is_for_somebody_else_now(served: Served, new_window: NewWindow) -> None:
    person = at_the_console(new_window(), served, "client", place="#/propose")
    other = person.page.get_by_label("Account of the other side")
    person.writes(other, f"acc_{'0' * 26}")
    person.page.keyboard.press("Tab")
    form = person.page.get_by_role("form", name="Propose a contract")
    person.writes(form.get_by_role("textbox", name="Title").first, "For another one")
    person.plans(1, title="Sketches", price="100", days=20)
    person.writes(other, served.account("freelancer"))
    person.page.keyboard.press("Tab")
    person.presses(form.get_by_role("button", name="Confirm"))
    person.reads("To answer")
    assert FOR_ANOTHER in served.ask("freelancer", TITLES)["contracts"]["nodes"]


def _titled(served: Served, title: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = served.ask("client", CONTRACTS)["contracts"]["nodes"]
    return [one for one in found if one["title"] == title]


def test_amounts_stand_in_the_fields_as_the_reader_writes_them_and_a_budget_that_is_left_empty_stays(
    served: Served, new_window: NewWindow
) -> None:
    deal = proposed(served, "A budget", ("Sketches",), budget={"amount": "1234.50", "currency": "USD"})
    one = new_window(Look(language="de-DE"))
    freelancer = at_the_console(one, served, "freelancer")
    freelancer.page.goto(f"{served.url}/console{contract(deal.contract_id)}/REVISE/{deal.contract_id}")
    budget = freelancer.page.locator("earnest-plan-editor").get_by_role("textbox", name="Budget")
    expect(budget).to_have_value("1234,50")
    freelancer.writes(budget, "")
    freelancer.reads("Bleibt das leer, gilt das Budget von 1.234,50\u00a0$ weiter.")
    one.is_fine()
