"""Trying operations in a browser at the API's address: with the explorer, which is fetched, and without it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Locator, Page, Response, expect

from api.console import pinned
from tests.browser.conftest import NewWindow
from tests.browser.deals import at_work, handed_in
from tests.browser.served import Served
from tests.browser.windows import LOOKS, Window, signed_in

WITHOUT: Final = "react.js"
"""A file without which there is no explorer."""


@pytest.fixture
def no_explorer() -> Iterator[None]:
    """As if it had not been fetched."""
    there, aside = pinned.FETCHED / WITHOUT, pinned.FETCHED / f"{WITHOUT}.aside"
    if not there.exists():
        yield
        return
    there.rename(aside)
    yield
    aside.rename(there)


def _write(page: Page, operation: str) -> None:
    """Put an operation in place of what stands in the explorer's editor, and run it."""
    page.locator(".graphiql-query-editor .CodeMirror").click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(operation)
    execute = page.get_by_role("button", name="Execute query")
    expect(execute).not_to_have_attribute("aria-haspopup", "menu")  # it has found that there is one operation now
    execute.click()


def _is_stream(answer: Response) -> bool:
    kind: str = answer.headers.get("content-type", "")
    return kind.startswith("text/event-stream")


def _answer(page: Page) -> Locator:
    return page.locator(".result-window")


def test_the_explorer_runs_a_query_a_mutation_and_a_subscription_and_asks_nobody_else(
    served: Served, new_window: NewWindow
) -> None:
    assert pinned.missing() == [], "make explorer fetches it"
    deal = at_work(served, "Explored")
    one = new_window()
    signed_in(one, served.keys["client"])
    page = one.open(f"{served.url}/graphql")
    _write(page, f'{{ contract(id: "{deal.contract_id}") {{ title }} }}')
    expect(_answer(page)).to_contain_text("Explored")
    note = f'contractId: "{deal.contract_id}", message: "From here"'
    _write(page, f"mutation {{ postUpdate(input: {{ {note} }}) {{ update {{ message }} }} }}")
    expect(_answer(page)).to_contain_text("From here")
    with page.expect_response(_is_stream):
        _write(page, f'subscription {{ events(contractId: "{deal.contract_id}") {{ type }} }}')
    deal.note("While it listens")
    expect(_answer(page)).to_contain_text("update.posted")
    assert [address for address in one.asked if not address.startswith((served.url, "data:", "blob:"))] == []


def test_without_the_explorer_the_page_runs_its_examples(
    served: Served, new_window: NewWindow, no_explorer: None
) -> None:
    deal = handed_in(served, "Tried")
    one = new_window()
    page = _operations(one, served)
    key = page.get_by_role("textbox", name="Key, kept in this tab only")
    key.fill(f"\u200b{served.keys['client']} ")
    key.press("Tab")
    page.get_by_role("button", name="Run: Who am I").click()
    expect(page.locator("pre.answer").first).to_contain_text("Harbour Bakery")
    page.get_by_role("textbox", name="Variables: Approve").fill(f'{{"id": "{deal.milestone()}"}}')
    page.get_by_role("button", name="Run: Approve").click()
    expect(page.locator("pre.answer:visible").last).to_contain_text("RELEASED")
    page.get_by_role("button", name="Run: Hear what happens").click()
    expect(page.locator("pre.answer:visible").last).to_contain_text("Listening")
    deal.note("While it listens")
    expect(page.locator("pre.answer:visible").last).to_contain_text("update.posted")


@pytest.mark.parametrize("look", LOOKS)
def test_that_page_is_usable_for_everybody(served: Served, new_window: NewWindow, no_explorer: None, look: str) -> None:
    one = new_window(LOOKS[look])
    _operations(one, served)
    one.is_fine()


def _operations(one: Window, served: Served) -> Page:
    page = one.open(f"{served.url}/graphql")
    expect(page.get_by_role("button", name="Run:").first).to_be_visible()
    return page
