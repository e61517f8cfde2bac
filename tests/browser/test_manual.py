"""The pages that are read: the start, the documents, the search and the operations to begin with."""

from __future__ import annotations

from typing import Final

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewWindow
from tests.browser.served import Served
from tests.browser.windows import LOOKS

PAGES: Final = (
    "/docs/lifecycle",
    "/docs/operating",
    "/docs/events",
    "/docs/errors",
    "/docs?q=refund",
    "/docs?q=%3Cimg+src%3Dx+onerror%3Dalert(1)%3E",
)

NOT_FOUND: Final = "404 (Not Found)"


@pytest.mark.parametrize("look", LOOKS)
def test_pages_of_the_manual_are_readable_for_everybody(served: Served, new_window: NewWindow, look: str) -> None:
    one = new_window(LOOKS[look])
    found = {}
    for page in PAGES:
        one.open(f"{served.url}{page}")
        found[page] = one.audited()
    assert {page: faults for page, faults in found.items() if faults} == {}


def test_so_are_what_has_no_page_and_the_longest_one(served: Served, new_window: NewWindow) -> None:
    one = new_window()
    one.open(f"{served.url}/docs/schema")
    one.is_fine()
    one.open(f"{served.url}/docs/nowhere")
    one.is_fine()
    assert one.without(NOT_FOUND) == []
    one.complaints.clear()


def test_a_reader_finds_a_page_by_its_words_with_the_keyboard_alone(served: Served, new_window: NewWindow) -> None:
    page = new_window().open(f"{served.url}/docs")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the text")).to_be_focused()
    page.get_by_role("searchbox", name="Search").focus()
    page.keyboard.type("webhook signature")
    page.keyboard.press("Enter")
    expect(page).to_have_title("Search – Earnest")
    found = page.get_by_role("main").get_by_role("link").first
    found.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_contain_text("signature")
