"""Links opened in a tab where somebody is: nobody is signed out by one that isn't good, nor replaced without being asked."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import pytest
from playwright.sync_api import Dialog, Page, Route, expect

from tests.browser.conftest import NewWindow
from tests.browser.held import operation
from tests.browser.served import Served
from tests.browser.windows import NO_CONNECTION
from tests.patience import PATIENCE_SECONDS

READS: Final = ["CONTRACTS_READ"]
KEPT: Final = "() => sessionStorage.getItem('earnest.session')"
BECOMES_ANOTHER: Final = "(before) => ![null, before].includes(sessionStorage.getItem('earnest.session'))"
REFUSED: Final = "This link was used already"


def _pastes(page: Page, link: str) -> None:
    """Put a link into the address of a tab that is there already, which loads nothing anew."""
    page.evaluate("(link) => { location.href = link; }", link)
    page.wait_for_function("() => !location.hash.includes('el_')")


def _is(page: Page, name: str) -> None:
    """Wait until the page says that this is who is signed in."""
    expect(page.get_by_role("banner").get_by_text(name)).to_be_visible()


def test_a_tab_asks_before_it_becomes_somebody_elses(served: Served, new_window: NewWindow) -> None:
    one = new_window()
    page = one.open(served.link("client"))
    _is(page, "Harbour Bakery")
    first = page.evaluate(KEPT)

    link = served.link("freelancer")
    _pastes(page, link)
    question = page.get_by_role("region", name="Who do you want to be in this tab?")
    expect(question.get_by_text("Harbour Bakery").first).to_be_visible()
    expect(question.get_by_text("Ines Duarte").first).to_be_visible()
    one.is_fine()
    question.get_by_role("button", name="Stay signed in as").click()
    expect(page.get_by_role("alert")).to_contain_text("You are signed in as before.")
    assert page.evaluate(KEPT) == first

    for bad in (link, f"{served.url}/console#el_nothing", f"{served.url}/console#el_"):
        _pastes(page, bad)
        expect(page.get_by_role("alert")).to_contain_text(REFUSED)
        _is(page, "Harbour Bakery")
    assert page.evaluate(KEPT) == first
    assert not served.is_over(first)

    _pastes(page, served.link("freelancer"))
    question.get_by_role("button", name="Sign in as").click()
    _is(page, "Ines Duarte")
    expect(question).to_have_count(0)
    page.wait_for_function(BECOMES_ANOTHER, arg=first)
    second = page.evaluate(KEPT)
    _pastes(page, served.link("freelancer"))
    page.wait_for_function(BECOMES_ANOTHER, arg=second)
    expect(question).to_have_count(0)


def test_an_answer_to_who_was_here_before_is_not_shown_to_who_is_here_now(
    served: Served, new_window: NewWindow
) -> None:
    one = new_window()
    page = one.open(served.link("client"))
    _is(page, "Harbour Bakery")
    held: list[Route] = []
    page.route(
        "**/graphql", lambda route: held.append(route) if operation(route.request) == "Viewer" else route.continue_()
    )
    page.locator("#language").select_option("en")  # what is shown is asked for anew
    _until(page, lambda: len(held) == 1)
    before = page.evaluate(KEPT)
    _pastes(page, served.link("freelancer"))
    page.get_by_role("button", name="Sign in as").click()
    page.wait_for_function(BECOMES_ANOTHER, arg=before)
    held[0].continue_()  # that session is over by now
    _until(page, lambda: len(held) == 2)
    expect(page.get_by_text("Harbour Bakery").first).to_be_hidden()
    expect(page.locator("earnest-page-signin")).to_have_count(0)
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    held[1].continue_()
    _is(page, "Ines Duarte")
    assert one.without("401 (Unauthorized)") == []
    one.complaints.clear()


def _until(page: Page, is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        page.wait_for_timeout(20)


def test_a_link_that_was_asked_about_is_kept_over_a_reload_and_can_have_a_tab_of_its_own(
    served: Served, new_window: NewWindow
) -> None:
    one = new_window()
    page = one.open(served.link("client"))
    _is(page, "Harbour Bakery")
    first = page.evaluate(KEPT)
    _pastes(page, served.link("freelancer"))
    question = page.get_by_role("region", name="Who do you want to be in this tab?")
    expect(question).to_be_visible()
    page.reload()
    expect(question.get_by_text("Ines Duarte").first).to_be_visible()
    with page.context.expect_page() as opened:
        question.get_by_role("button", name="Open a tab for").click()
    _is(opened.value, "Ines Duarte")
    _is(page, "Harbour Bakery")
    expect(question).to_have_count(0)
    assert page.evaluate(KEPT) == first
    assert not served.is_over(first)
    page.reload()
    _is(page, "Harbour Bakery")
    expect(question).to_have_count(0)


def test_a_link_replaces_a_session_that_is_over_without_asking(served: Served, new_window: NewWindow) -> None:
    one = new_window()
    made = served.do("client", "createSession", "token session { id }", scopes=READS)
    page = one.open(f"{served.url}/console")
    page.evaluate("(token) => sessionStorage.setItem('earnest.session', token)", made["token"])
    served.do("client", "revokeSession", "session { id }", sessionId=made["session"]["id"])
    page.goto("about:blank")
    one.open(served.link("freelancer"))
    _is(page, "Ines Duarte")
    assert one.without("401 (Unauthorized)") == []
    one.complaints.clear()


def test_a_link_whose_answer_was_lost_opens_the_session_that_it_opened(served: Served, new_window: NewWindow) -> None:
    one = new_window()
    lost: list[str] = []

    def answer(route: Route) -> None:
        if operation(route.request) != "OpenSession" or lost:
            route.continue_()
            return
        lost.append(route.fetch().json()["data"]["done"]["token"])
        route.abort()

    one.page.route("**/graphql", answer)
    page = one.open(served.link("client"))
    _is(page, "Harbour Bakery")
    assert [page.evaluate(KEPT)] == lost
    assert page.evaluate("Object.keys(sessionStorage)") == ["earnest.session"]
    assert one.without(NO_CONNECTION) == []
    one.complaints.clear()


@pytest.mark.parametrize("stays", [True, False])
def test_the_explorer_asks_too(served: Served, new_window: NewWindow, stays: bool) -> None:
    page = new_window().open(served.link("client").replace("/console#", "/graphql#"))
    page.wait_for_function(KEPT)
    first = page.evaluate(KEPT)
    asked: list[str] = []

    def answer(dialog: Dialog) -> None:
        asked.append(dialog.message)
        if stays:
            dialog.dismiss()
        else:
            dialog.accept()

    page.on("dialog", answer)
    with page.expect_event("dialog"):
        _pastes(page, served.link("freelancer").replace("/console#", "/graphql#"))
    if stays:
        assert page.evaluate(KEPT) == first
    else:
        page.wait_for_function(BECOMES_ANOTHER, arg=first)
    assert "Harbour Bakery" in asked[0]
    assert "Ines Duarte" in asked[0]
