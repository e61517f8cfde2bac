"""Links that open the console, and where their codes and the tokens behind them are never found."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from playwright.sync_api import Page, expect

from tests.browser.conftest import NewWindow
from tests.browser.deals import handed_in
from tests.browser.held import operation
from tests.browser.people import Person, at_the_console, contract
from tests.browser.served import Served
from tests.browser.windows import Window, signed_in

SECRET: Final = re.compile(r"\b(?:es|el|ek)_[0-9a-z]{8,}")
"""The token of a session, the code of a link, a key."""

ENDPOINTS: Final = "{ webhookEndpoints { id description eventTypes } }"
ENDPOINT: Final = {"description": "Theirs", "eventTypes": ["milestone.*"]}
ALL: Final = ["CONTRACTS_READ", "CONTRACTS_WRITE", "MONEY_WRITE"]


def _opened(one: Window, link: str) -> Person:
    page = one.open(link)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    return Person(one, page)


def test_a_link_opens_the_console_once(served: Served, new_window: NewWindow) -> None:
    deal = handed_in(served, "Opened by a link")
    link = served.link("client", scopes=ALL, contractIds=[deal.contract_id])
    client = _opened(new_window(), link)
    expect(client.page.get_by_role("link", name="Opened by a link")).to_be_visible()
    expect(client.page.get_by_role("main").locator("earnest-page-contracts").get_by_role("listitem")).to_have_count(1)
    late = new_window().open(link)
    expect(late.get_by_role("alert")).to_contain_text("This link was used already")
    expect(late.get_by_role("button", name="Sign out")).to_have_count(0)


def test_no_token_is_found_in_an_address_a_log_a_storage_that_lasts_a_cookie_or_a_referrer(
    served: Served, new_window: NewWindow
) -> None:
    deal = handed_in(served, "Nothing left behind")
    one = new_window()
    link = served.link("client", scopes=ALL)
    code = link.partition("#")[2]
    client = _opened(one, link)
    client.page.goto(f"{served.url}/console{contract(deal.contract_id)}")
    client.does("Approve and pay")
    client.sees_milestone("Sketches", "Paid")
    token = client.page.evaluate("sessionStorage.getItem('earnest.session')")
    assert SECRET.fullmatch(token)
    client.page.goto(f"{served.url}/docs")
    _nothing_lasts(client.page)
    assert SECRET.fullmatch(code)
    assert [address for address in one.asked if SECRET.search(address)] == []
    assert one.referrers == set()
    assert [secret for secret in (token, code) if secret in served.log] == []


def test_a_session_that_was_ended_shows_nothing_more(served: Served, new_window: NewWindow) -> None:
    deal = handed_in(served, "Ended")
    one = new_window()
    client = _opened(one, served.link("client"))
    client.page.goto(f"{served.url}/console{contract(deal.contract_id)}")
    client.sees_all()
    token = client.page.evaluate("sessionStorage.getItem('earnest.session')")
    with client.page.expect_response(lambda answer: "revokeSession" in (answer.request.post_data or "")):
        client.page.get_by_role("button", name="Sign out").click()
    expect(client.page.get_by_label("Key or session token")).to_be_visible()
    expect(client.page.get_by_text("Ended")).to_have_count(0)
    assert client.page.evaluate("sessionStorage.getItem('earnest.session')") is None
    assert served.is_over(token)
    one.is_fine()


def test_a_session_that_is_revoked_is_over_in_its_window(served: Served, new_window: NewWindow) -> None:
    deal = handed_in(served, "Revoked")
    made = served.do("client", "createSession", "token session { id }", scopes=ALL)
    one = signed_in(new_window(), made["token"])
    client = Person(one, one.open(f"{served.url}/console{contract(deal.contract_id)}"))
    client.sees_milestone("Sketches", "In review")
    client.presses(client.can("Ask for changes"))
    note = client.page.get_by_role("textbox", name="What should be changed")
    client.writes(note, "The second page, above all")
    served.do("client", "revokeSession", "session { id }", sessionId=made["session"]["id"])
    client.reads("This session is over.", "Open a new link to go on", "What you were writing isn’t sent yet")
    expect(note).to_have_value("The second page, above all")
    one.is_fine()
    client.presses(client.page.get_by_role("button", name="Sign in"))
    expect(client.page.get_by_label("Key or session token")).to_be_visible()
    expect(client.page.get_by_text("Revoked")).to_have_count(0)
    assert one.without("401 (Unauthorized)") == []
    one.complaints.clear()


def test_a_key_that_may_not_hear_what_happens_asks_for_it_once(served: Served, new_window: NewWindow) -> None:
    scopes = ["WEBHOOKS_MANAGE"]
    made = served.do(
        "client", "createApiKey", "secret", accountId=served.account("client"), name="Hooks", scopes=scopes
    )
    one = signed_in(new_window(), made["secret"])
    asked: Counter[str] = Counter()
    one.page.on("request", lambda request: asked.update([operation(request)]))
    with one.page.expect_response(lambda answer: operation(answer.request) == "Latest"):
        client = Person(one, one.open(f"{served.url}/console"))
    client.reads("This session may not do this.")
    client.goes("#/deliveries")
    client.goes("#/calendar")
    assert asked["Viewer"] == 1, asked


def test_what_comes_along_with_a_copied_key_keeps_nobody_out(served: Served, new_window: NewWindow) -> None:
    one = new_window()
    page = one.open(f"{served.url}/console")
    field, button = page.get_by_label("Key or session token"), page.get_by_role("button", name="Use this key")
    field.fill("ek_…")
    button.click()
    expect(page.get_by_role("alert")).to_contain_text("this key isn’t known")
    field.fill(f"\u200b{served.keys['client']}\u2060")
    button.click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    assert one.without("401 (Unauthorized)") == []
    one.complaints.clear()


def test_a_session_stops_an_endpoint_and_leaves_it_to_a_key_to_go_on(served: Served, new_window: NewWindow) -> None:
    url = "https://hooks.example.com/stopped"
    made = served.do("client", "createWebhookEndpoint", "webhookEndpoint { id }", url=url)
    place = f"#/deliveries/{made['webhookEndpoint']['id']}"
    one = new_window()
    client = _opened(one, served.link("client", scopes=["CONTRACTS_READ", "WEBHOOKS_MANAGE"]))
    client.page.goto(f"{served.url}/console{place}")
    for _ in range(2):
        client.page.get_by_role("button", name=re.compile("Disable|Really")).click()
    client.reads("A session makes nothing that lasts longer than it does.")
    expect(client.page.get_by_role("button", name="Enable")).to_have_count(0)
    by_key = at_the_console(new_window(), served, "client", place=place)
    by_key.page.get_by_role("button", name="Enable").click()
    expect(by_key.page.get_by_role("button", name="Disable")).to_be_visible()


def test_what_was_refused_for_what_somebody_changed_meanwhile_can_be_sent_once_more(
    served: Served, new_window: NewWindow
) -> None:
    given = {"url": "https://hooks.example.com/shared", "description": "Ours"}
    made = served.do("client", "createWebhookEndpoint", "webhookEndpoint { id }", **given)
    endpoint = {"endpointId": made["webhookEndpoint"]["id"]}
    client = at_the_console(new_window(), served, "client", place=f"#/deliveries/{endpoint['endpointId']}")
    client.page.get_by_text("Change", exact=True).click()
    events = client.page.get_by_role("textbox", name="Events")
    client.writes(events, "milestone.*")
    served.do("client", "updateWebhookEndpoint", "webhookEndpoint { id }", **endpoint, description="Theirs")
    save = client.page.get_by_role("button", name="Save")
    client.presses(save)
    client.reads("It has changed meanwhile.")
    expect(client.page.get_by_role("textbox", name="Description")).to_have_value("Theirs")
    expect(events).to_have_value("milestone.*")
    client.presses(save)
    client.reads("Done.")
    assert {**ENDPOINT, "id": endpoint["endpointId"]} in served.ask("client", ENDPOINTS)["webhookEndpoints"]


def test_a_double_click_takes_nothing_away_that_cannot_be_given_back(served: Served, new_window: NewWindow) -> None:
    made = served.do("client", "createWebhookEndpoint", "webhookEndpoint { id }", url="https://hooks.example.com/twice")
    endpoint = made["webhookEndpoint"]["id"]
    client = at_the_console(new_window(), served, "client", place=f"#/deliveries/{endpoint}")
    client.page.get_by_role("button", name="Delete").dblclick()
    expect(client.page.get_by_role("button", name="Really?")).to_be_visible()
    client.window.rests()
    assert endpoint in [one["id"] for one in served.ask("client", ENDPOINTS)["webhookEndpoints"]]
    client.page.get_by_role("button", name="Really?").click()
    client.reads("New endpoint")
    assert endpoint not in [one["id"] for one in served.ask("client", ENDPOINTS)["webhookEndpoints"]]


def _nothing_lasts(page: Page) -> None:
    assert page.evaluate("({ ...localStorage })") == {}
    assert page.context.cookies() == []
