"""A contract from the proposal to the payout, played by people who know only the words that they see.

Whatever a page says against itself on the way, a request to anybody else, and whatever an audit finds where somebody stops to read,
fails it.
"""

from __future__ import annotations

import secrets
from typing import Final

from tests.browser.conftest import NewWindow
from tests.browser.people import Person, at_the_console
from tests.browser.served import Served

TITLE: Final = f"Poster {secrets.token_hex(4)}"
PRINT: Final = f"The print of {TITLE}"


def test_people_play_a_contract_to_the_payout_by_the_words_that_they_see(
    served: Served, new_window: NewWindow
) -> None:
    client = at_the_console(new_window(), served, "client")
    freelancer = at_the_console(new_window(), served, "freelancer")
    _agree(served, client, freelancer)
    _first_milestone(client, freelancer)
    _argument(client, freelancer, at_the_console(new_window(), served, "mediator", place="#/operator"))
    freelancer.does("Pay out")
    freelancer.reads("Payout started")
    client.reads("Paid out")
    client.window.is_fine()


def _agree(served: Served, client: Person, freelancer: Person) -> None:
    """A proposal, a counter-offer, and both agree."""
    client.page.get_by_role("link", name="Propose a contract").click()
    client.page.get_by_label("Account of the other side").fill(served.account("freelancer"))
    client.page.get_by_label("Account of the other side").press("Tab")
    editor = client.page.get_by_role("form", name="Propose a contract")
    editor.get_by_label("Title").first.fill(TITLE)
    client.plans(1, title="A draft", price="100", days=7)
    editor.get_by_role("button", name="Add a milestone").click()
    client.plans(2, title=PRINT, price="300", days=21)
    client.window.is_fine()
    editor.get_by_role("button", name="Confirm").click()
    client.reads(TITLE, "Proposed")
    client.window.is_fine()

    freelancer.page.get_by_role("link", name=TITLE, exact=True).click()
    freelancer.can("Counter-offer").click()
    freelancer.milestone(2).get_by_label("Amount (USD)").fill("350")
    freelancer.window.is_fine()
    freelancer.fills("Counter-offer", Message="The paper is dear.")
    client.reads("The paper is dear.", "$450.00")
    client.does("Accept", Message="So be it.")
    freelancer.reads("So be it.", "Contract accepted")


def _first_milestone(client: Person, freelancer: Person) -> None:
    """Paid for, handed in, sent back, handed in again, approved."""
    client.can("Fund milestone").click()
    client.reads("What will happen", "The client is charged")
    client.window.is_fine()
    client.fills("Fund milestone")
    freelancer.sees_milestone("A draft", "Under way")
    freelancer.does("Submit work", Message="Two drafts.", Links="https://drafts.example/1")
    client.sees_milestone("A draft", "In review")
    client.does("Ask for changes", What_should_be_changed="Larger letters, please.")
    freelancer.reads("Larger letters, please.")
    freelancer.does("Submit work", Message="Larger ones.")
    client.sees_milestone("A draft", "In review")
    client.can("Approve and pay").click()
    client.reads("To the freelancer")
    client.window.is_fine()
    client.fills("Approve and pay", Message="Very good.")
    freelancer.sees_milestone("A draft", "Paid")
    freelancer.window.is_fine()


def _argument(client: Person, freelancer: Person, mediator: Person) -> None:
    """The second milestone ends before a mediator, who splits it."""
    client.does("Fund milestone")
    freelancer.sees_milestone(PRINT, "Under way")
    client.does("Open dispute", For_the_freelancer="50", Reason="Nothing came.")
    freelancer.reads("Nothing came.")
    freelancer.does("Add evidence", What_there_is_to_say="It was delivered in March.")
    freelancer.does("Reject claim", Message="It came.")
    client.reads("In mediation", "It was delivered in March.")
    client.window.is_fine()

    mediator.page.get_by_role("region", name="Disputes that wait for a decision").get_by_role("listitem").filter(
        has_text=PRINT
    ).get_by_role("button", name="Act …").click()
    mediator.page.get_by_role("button", name="Decide dispute").click()
    decision = mediator.page.get_by_role("form", name="Decide dispute")
    decision.get_by_role("slider", name="How it is split").fill("60")
    mediator.reads("$210.00 for the freelancer")
    mediator.window.is_fine()
    mediator.fills("Decide dispute", Reason="Sixty to forty.")
    client.sees_milestone(PRINT, "Settled")
    freelancer.sees_milestone(PRINT, "Settled")
    freelancer.reads("Sixty to forty.", "Completed")
