"""What somebody is writing stays theirs: through a new session and in another language, and not for anybody else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewWindow
from tests.browser.deals import handed_in, proposed
from tests.browser.elsewhere import Site, site
from tests.browser.held import Held, operation
from tests.browser.people import Person, at_the_console, contract
from tests.browser.served import Served

ALL: Final = ["CONTRACTS_READ", "CONTRACTS_WRITE", "MONEY_WRITE"]
EMBEDDED: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>A shop</title>
<script type="module" src="{url}/console/earnest.js"></script><main><h1>A shop</h1>{element}</main></html>"""
CONTRACT: Final = '<earnest-contract contract="{contract}" session="{session}"></earnest-contract>'
EDITOR: Final = '<earnest-plan-editor client="{client}" currency="USD" session="{session}"></earnest-plan-editor>'
SET: Final = "(one, [name, value]) => one.setAttribute(name, value)"
NOTE: Final = "The second page, above all"
LINES: Final = (
    "a-1 | Sketches, 1,250.50 of them | To see it | {price} | 2027-01-31\nb-2|Drafts|To see more|1.5k\nc-3 | No price"
)
"""Milestones as somebody pastes them: a price that is rewritten, one that is none, and none."""


@pytest.fixture
def shop() -> Iterator[Site]:
    with site() as one:
        yield one


def _goes_by(page: Page, element: str, session: str, asked: str) -> None:
    """Give an element another session, and wait until it has asked by that."""
    by_it = f"Bearer {session}"
    with page.expect_response(
        lambda answer: operation(answer.request) == asked and answer.request.headers["authorization"] == by_it
    ):
        page.locator(element).evaluate(SET, ["session", session])


def test_a_form_of_a_contract_goes_on_by_a_new_session_in_another_language_and_for_nobody_else(
    served: Served, new_window: NewWindow, shop: Site
) -> None:
    deal = handed_in(served, "Written on another page")
    first, second = (served.session("client", scopes=ALL, origins=[shop.origin]) for _ in range(2))
    others = served.session("freelancer", scopes=ALL, origins=[shop.origin])
    element = CONTRACT.format(contract=deal.contract_id, session=first)
    shop.page = EMBEDDED.format(url=served.url, element=element)
    page = new_window(own=(served.url,)).open(shop.origin)
    page.locator("earnest-milestones summary").first.click()
    forms = page.locator("earnest-milestones form")
    page.locator("earnest-milestones").get_by_role("button", name="Ask for changes").click()
    forms.get_by_role("textbox").fill(NOTE)

    _goes_by(page, "earnest-contract", second, "ActionsOfOne")
    served.do("freelancer", "postUpdate", "update { message }", contractId=deal.contract_id, message="All is told.")
    expect(page.get_by_text("All is told.")).to_be_visible()
    expect(forms.get_by_role("textbox")).to_have_value(NOTE)
    page.locator("earnest-contract").evaluate(SET, ["lang", "de"])
    expect(forms.get_by_text("Was geändert werden soll")).to_be_visible()
    expect(forms.get_by_role("textbox")).to_have_value(NOTE)

    _goes_by(page, "earnest-contract", others, "ActionsOfOne")
    expect(forms).to_have_count(0)
    expect(page.locator("earnest-contract").get_by_text("(Sie)")).to_be_visible()


def test_a_plan_goes_on_by_a_new_session_and_begins_anew_for_somebody_else(
    served: Served, new_window: NewWindow, shop: Site
) -> None:
    first, second = (served.session("client", scopes=ALL, origins=[shop.origin]) for _ in range(2))
    others = served.session("freelancer", scopes=ALL, origins=[shop.origin])
    element = EDITOR.format(client=served.account("client"), session=first)
    shop.page = EMBEDDED.format(url=served.url, element=element)
    one = new_window(own=(served.url,))
    with one.page.expect_response(lambda answer: operation(answer.request) == "Review"):
        client = Person(one, one.open(shop.origin))
    title = client.page.get_by_role("textbox", name="Title").first
    client.writes(title, "By two sessions")
    _goes_by(client.page, "earnest-plan-editor", second, "Review")
    one.rests()
    expect(title).to_have_value("By two sessions")
    _goes_by(client.page, "earnest-plan-editor", others, "Review")
    expect(title).to_have_value("")


def test_what_was_shown_to_one_session_is_hidden_as_soon_as_there_is_another(
    served: Served, new_window: NewWindow, shop: Site
) -> None:
    deal = handed_in(served, "Seen by one side")
    first, second = (served.session("client", scopes=ALL, origins=[shop.origin]) for _ in range(2))
    others = served.session("freelancer", scopes=ALL, origins=[shop.origin])
    element = CONTRACT.format(contract=deal.contract_id, session=first)
    shop.page = EMBEDDED.format(url=served.url, element=element)
    page = new_window(own=(served.url,)).open(shop.origin)
    actions = page.get_by_role("region", name="What you can do")
    actions.get_by_role("button", name="Ask for changes").first.click()
    note = actions.get_by_role("form").get_by_role("textbox")
    note.fill(NOTE)
    whole = Held(page, "Contract")
    for session, stays in ((second, True), (others, False)):
        whole.hold()
        page.locator("earnest-contract").evaluate(SET, ["session", session])
        whole.wait()
        for one in (page.get_by_text("Seen by one side"), actions, note):
            expect(one).to_be_hidden()
        whole.let_go()
        expect(page.get_by_role("heading", name="Seen by one side")).to_be_visible()
        if stays:
            expect(note).to_have_value(NOTE)
            expect(note).to_be_focused()
    expect(note).to_have_count(0)


def test_a_plan_is_hidden_until_it_is_known_who_goes_on_writing_it(
    served: Served, new_window: NewWindow, shop: Site
) -> None:
    first, second = (served.session("client", scopes=ALL, origins=[shop.origin]) for _ in range(2))
    others = served.session("freelancer", scopes=ALL, origins=[shop.origin])
    element = EDITOR.format(client=served.account("client"), session=first)
    shop.page = EMBEDDED.format(url=served.url, element=element)
    one = new_window(own=(served.url,))
    with one.page.expect_response(lambda answer: operation(answer.request) == "Review"):
        page = one.open(shop.origin)
    title = page.get_by_role("textbox", name="Title").first
    title.fill("By one of them")
    review = Held(page, "Review")
    for session, words in ((second, "By one of them"), (others, "")):
        review.hold()
        page.locator("earnest-plan-editor").evaluate(SET, ["session", session])
        review.wait()
        expect(title).to_be_hidden()
        review.let_go()
        expect(title).to_be_visible()
        expect(title).to_have_value(words)


def test_prices_of_pasted_rows_are_rewritten_for_another_language_and_all_else_stands_as_it_was_typed(
    served: Served, new_window: NewWindow, shop: Site
) -> None:
    deal = proposed(served, "Pasted")
    deal.accept()
    session = served.session("client", scopes=ALL, origins=[shop.origin])
    shop.page = EMBEDDED.format(url=served.url, element=CONTRACT.format(contract=deal.contract_id, session=session))
    page = new_window(own=(served.url,)).open(shop.origin)
    page.get_by_role("button", name="Import milestones").click()
    rows = page.locator("earnest-contract textarea").first
    rows.fill(LINES.format(price="1,250.50"))
    for language, price in (("de", "1250,50"), ("ar-EG", "1250\u066b50"), ("en", "1250.50")):
        page.locator("earnest-contract").evaluate(SET, ["lang", language])
        expect(rows).to_have_value(LINES.format(price=price))
    page.locator("earnest-contract").evaluate(SET, ["lang", "ar-EG"])
    expect(page.locator("earnest-contract .root").first).to_have_attribute("lang", "ar")
    unreadable = LINES.format(price="1,250")
    rows.fill(unreadable)
    page.locator("earnest-contract").evaluate(SET, ["lang", "de"])
    expect(page.get_by_role("button", name="Meilensteine einlesen")).to_be_visible()
    expect(rows).to_have_value(unreadable)


def test_the_console_goes_over_to_another_language_and_takes_along_what_was_written(
    served: Served, new_window: NewWindow
) -> None:
    deal = handed_in(served, "In two languages at once")
    client = at_the_console(new_window(), served, "client", place=contract(deal.contract_id))
    client.presses(client.can("Ask for changes"))
    client.writes(client.page.get_by_role("textbox", name="What should be changed"), NOTE)
    client.page.locator("#language").select_option("de")
    expect(client.page.get_by_role("textbox", name="Was geändert werden soll")).to_have_value(NOTE)

    client.page.locator("#language").select_option("en")
    client.goes("#/propose")
    other = client.page.get_by_label("Account of the other side")
    client.writes(other, served.account("freelancer"))
    client.page.keyboard.press("Tab")
    client.plans(1, title="Sketches", price="1,250.50", days=20)
    client.page.locator("#language").select_option("de")
    expect(client.page.get_by_label("Betrag (USD)")).to_have_value("1250,50")
    expect(client.page.get_by_role("textbox", name="Titel").last).to_have_value("Sketches")
    expect(client.page.locator("#other")).to_have_value(served.account("freelancer"))
