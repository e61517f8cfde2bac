"""What the console offers to whom: nobody is offered what they are refused whenever they ask for it."""

from __future__ import annotations

from typing import Final

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewWindow
from tests.browser.deals import proposed
from tests.browser.people import Person, at_the_console
from tests.browser.served import READS, Served
from tests.browser.windows import Window, signed_in

WRITES: Final = [READS, "CONTRACTS_WRITE", "MONEY_WRITE", "WEBHOOKS_MANAGE"]
ADD: Final = "mutation Add($input: AddMemberInput!) { addMember(input: $input) { member { id } } }"
PROPOSE: Final = "Propose a contract"
OWNERS: Final = {"#/money": "Tell the payment provider", "#/deliveries": "New endpoint"}
"""What owners alone are offered, by the pages."""


def _is_offered(person: Person, text: str, is_offered: bool) -> None:
    """Look at a page that has all its answers."""
    person.window.rests()
    offers = person.page.get_by_role("main").get_by_text(text, exact=True)
    if is_offered:
        expect(offers.last).to_be_visible()
    else:
        expect(offers).to_have_count(0)


def _member(served: Served, window: Window, role: str) -> Person:
    account = served.account("client")
    given = {
        "accountId": account,
        "person": f"{role.lower()}@offers.example",
        "name": f"A {role.lower()}",
        "role": role,
    }
    member = served.ask("client", ADD, input=given)["addMember"]["member"]["id"]
    key = {"accountId": account, "memberId": member, "name": "Theirs", "scopes": WRITES}
    signed_in(window, served.do("client", "createApiKey", "secret", **key)["secret"])
    return Person(window, window.open(f"{served.url}/console"))


@pytest.mark.parametrize(
    ("role", "proposes", "owns"), [("VIEWER", False, False), ("MANAGER", True, False), ("OWNER", True, True)]
)
def test_a_member_is_offered_what_the_role_may(
    served: Served, new_window: NewWindow, role: str, proposes: bool, owns: bool
) -> None:
    proposed(served, "Offered")
    person = _member(served, new_window(), role)
    person.reads("Offered")
    _is_offered(person, PROPOSE, proposes)
    person.goes("#/money")
    _is_offered(person, OWNERS["#/money"], owns)
    person.goes("#/deliveries")
    _is_offered(person, OWNERS["#/deliveries"], owns)
    url = f"https://hooks.example.com/{role.lower()}"
    made = served.do("client", "createWebhookEndpoint", "webhookEndpoint { id }", url=url)["webhookEndpoint"]
    person.page.goto(f"{served.url}/console#/deliveries/{made['id']}")
    person.reads(url, "Nothing was sent yet.")
    for button, is_there in (("Disable", owns), ("Delete", owns), ("Send a test event", proposes)):
        expect(person.page.get_by_role("button", name=button)).to_have_count(1 if is_there else 0)
    person.goes("#/access")
    person.reads("Members")
    members = person.page.get_by_role("region", name="Members")
    expect(members.get_by_text(f"A {role.lower()}")).to_be_visible()
    expect(members.get_by_role("button", name="Remove")).to_have_count(
        members.get_by_role("listitem").count() if owns else 0
    )
    expect(members.get_by_text("New", exact=True)).to_have_count(1 if owns else 0)


def test_who_is_no_side_or_sees_some_contracts_alone_is_not_offered_to_propose(
    served: Served, new_window: NewWindow
) -> None:
    deal = proposed(served, "The only one")
    operator = at_the_console(new_window(), served, "operator")
    operator.reads("The only one")
    _is_offered(operator, PROPOSE, is_offered=False)
    one = new_window()
    page = one.open(served.link("client", scopes=WRITES[:3], contractIds=[deal.contract_id]))
    limited = Person(one, page)
    limited.reads("The only one")
    _is_offered(limited, PROPOSE, is_offered=False)
    for title in ("Access", "Calendar"):
        expect(limited.page.get_by_role("link", name=title)).to_have_count(0)
    limited.goes("#/access")
    limited.reads("There is nothing here for you.")
    limited.goes("#/calendar")
    limited.reads("A session makes nothing that lasts longer than it does.")
    expect(limited.page.get_by_role("button", name="End my addresses")).to_have_count(0)


def test_a_key_for_some_contracts_is_offered_what_it_makes_for_those_and_nothing_of_the_account(
    served: Served, new_window: NewWindow
) -> None:
    deal = proposed(served, "One of some")
    key = {"name": "For one", "scopes": WRITES, "contractIds": [deal.contract_id]}
    one = new_window()
    signed_in(one, served.do("client", "createApiKey", "secret", accountId=served.account("client"), **key)["secret"])
    limited = Person(one, one.open(f"{served.url}/console"))
    limited.reads("One of some")
    limited.goes("#/access")
    main = limited.page.get_by_role("main")
    limited.reads("Sessions and links", "API keys")
    expect(main.get_by_role("region", name="Members")).to_have_count(0)
    expect(main.get_by_text("Nothing.")).to_have_count(0)
    keys = main.get_by_role("region", name="API keys")
    keys.get_by_text("New", exact=True).click()
    keys.get_by_label("Name").fill("For the same one")
    only = keys.get_by_label("Only these contracts")
    expect(only).to_have_attribute("required", "")
    only.fill(deal.contract_id)
    keys.get_by_role("button", name="Create").click()
    limited.reads("The key, shown this once")
    limited.goes("#/deliveries")
    expect(main.get_by_label("Only these contracts")).to_have_attribute("required", "")
    limited.goes("#/money")
    limited.reads("One of some")
    expect(main.get_by_text("Being paid")).to_have_count(0)
