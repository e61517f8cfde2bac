"""A contract from the proposal to the payout, played by people who know only the words that they see.

Whatever a page says against itself on the way fails it, so does a request to anybody else, and whatever an audit finds where
somebody stops to read.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from tests.browser.conftest import NewWindow
from tests.browser.people import Person, Typist, at_the_console
from tests.browser.served import Served
from tests.browser.windows import Look

PHONE: Final = Look(width=360, height=740, dark=True, touch=True)
ENLARGED: Final = Look(zoom=2)


def test_people_play_a_contract_to_the_payout_by_the_words_that_they_see(served: Served, new_window: NewWindow) -> None:
    """The client on a phone in the dark, the freelancer at twice the size."""
    _play(served, new_window, Person, Stage(f"Poster {secrets.token_hex(4)}", audits=True))


def test_so_do_people_who_have_nothing_but_a_keyboard(served: Served, new_window: NewWindow) -> None:
    _play(served, new_window, Typist, Stage(f"Banner {secrets.token_hex(4)}", audits=False))


@dataclass(frozen=True, slots=True)
class Stage:
    """What is played: the title of the contract, and whether pages are audited where somebody stops to read."""

    title: str
    audits: bool

    @property
    def print(self) -> str:
        """The second milestone."""
        return f"The print of {self.title}"

    def looks_at(self, person: Person) -> None:
        if self.audits:
            person.window.is_fine()


def _play(served: Served, new_window: NewWindow, kind: type[Person], stage: Stage) -> None:
    client = at_the_console(new_window(PHONE), served, "client", kind=kind)
    freelancer = at_the_console(new_window(ENLARGED), served, "freelancer", kind=kind)
    mediator = at_the_console(new_window(), served, "mediator", place="#/operator", kind=kind)
    _agree(stage, client, freelancer, served.account("freelancer"))
    _first_milestone(stage, client, freelancer)
    _argument(stage, client, freelancer, mediator)
    freelancer.reads("Refund paid")
    freelancer.does("Pay out")
    freelancer.reads("Payout started")
    client.reads("Paid out")
    stage.looks_at(client)


def _agree(stage: Stage, client: Person, freelancer: Person, other: str) -> None:
    """A proposal, a counter-offer, and both agree."""
    client.presses(client.page.get_by_role("link", name="Propose a contract"))
    client.writes(client.page.get_by_label("Account of the other side"), other)
    client.page.keyboard.press("Tab")
    editor = client.page.get_by_role("form", name="Propose a contract")
    client.writes(editor.get_by_label("Title").first, stage.title)
    client.plans(1, title="A draft", price="100", days=7)
    client.presses(editor.get_by_role("button", name="Add a milestone"))
    client.plans(2, title=stage.print, price="300", days=21)
    stage.looks_at(client)
    client.presses(editor.get_by_role("button", name="Confirm"))
    client.reads("Proposed")
    stage.looks_at(client)

    freelancer.presses(freelancer.page.get_by_role("link", name=stage.title, exact=True))
    freelancer.presses(freelancer.can("Counter-offer"))
    freelancer.writes(freelancer.milestone(2).get_by_label("Amount (USD)"), "350")
    stage.looks_at(freelancer)
    freelancer.fills("Counter-offer", Message="The paper is dear.")
    client.reads("The paper is dear.", "$450.00")
    client.does("Accept", Message="So be it.")
    freelancer.reads("So be it.", "Contract accepted")


def _first_milestone(stage: Stage, client: Person, freelancer: Person) -> None:
    """Paid for, handed in, sent back, handed in again, approved."""
    client.presses(client.can("Fund milestone"))
    client.reads("What will happen", "The client is charged")
    stage.looks_at(client)
    client.fills("Fund milestone")
    freelancer.sees_milestone("A draft", "Under way")
    freelancer.does("Submit work", Message="Two drafts.", Links="https://drafts.example/1")
    client.sees_milestone("A draft", "In review")
    client.does("Ask for changes", What_should_be_changed="Larger letters, please.")
    freelancer.reads("Larger letters, please.")
    freelancer.does("Submit work", Message="Larger ones.")
    client.sees_milestone("A draft", "In review")
    client.presses(client.can("Approve and pay"))
    client.reads("To the freelancer")
    stage.looks_at(client)
    client.fills("Approve and pay", Message="Very good.")
    freelancer.sees_milestone("A draft", "Paid")
    stage.looks_at(freelancer)


def _argument(stage: Stage, client: Person, freelancer: Person, mediator: Person) -> None:
    """The second milestone ends before a mediator, who splits it."""
    client.does("Fund milestone")
    freelancer.sees_milestone(stage.print, "Under way")
    client.does("Open dispute", For_the_freelancer="50", Reason="Nothing came.")
    freelancer.reads("Nothing came.")
    freelancer.does("Add evidence", What_there_is_to_say="It was delivered in March.")
    freelancer.does("Reject claim", Message="It came.")
    client.reads("In mediation", "It was delivered in March.")
    stage.looks_at(client)

    disputes = mediator.page.get_by_role("region", name="Disputes that wait for a decision").get_by_role("listitem")
    mediator.presses(disputes.filter(has_text=stage.print).get_by_role("button", name="Act …"))
    mediator.presses(mediator.page.get_by_role("button", name="Decide dispute"))
    decision = mediator.page.get_by_role("form", name="Decide dispute")
    mediator.slides(decision.get_by_role("slider", name="How it is split"), 60)
    mediator.reads("$210.00 for the freelancer")
    stage.looks_at(mediator)
    mediator.fills("Decide dispute", Reason="Sixty to forty.")
    client.sees_milestone(stage.print, "Settled")
    freelancer.sees_milestone(stage.print, "Settled")
    freelancer.reads("Sixty to forty.", "Completed")
