"""Contracts that were made by programs before anybody looks: as far as a test wants to begin."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.browser.served import Served
from tests.patience import PATIENCE_SECONDS

CONTRACT: Final = "contract { id }"
PLAN: Final = "query Plan($id: ID!) { contract(id: $id) { milestones { id title state } } }"
LAST: Final = "query Last($id: ID!) { contract(id: $id) { timeline(last: 1) { nodes { sequence } } } }"

TITLES: Final = ("Sketches", "Drafts", "Files")


@dataclass(frozen=True, slots=True)
class Deal:
    """A contract between the demo's client and its freelancer."""

    served: Served
    contract_id: str

    def plan(self) -> list[dict[str, Any]]:
        """Its milestones, as the client sees them."""
        found: list[dict[str, Any]] = self.served.ask("client", PLAN, id=self.contract_id)["contract"]["milestones"]
        return found

    def milestone(self, position: int = 1) -> str:
        found: str = self.plan()[position - 1]["id"]
        return found

    def accept(self) -> None:
        self.served.do("freelancer", "acceptContract", CONTRACT, contractId=self.contract_id, revision=1)

    def fund(self, position: int = 1) -> None:
        """Pay for a milestone, and wait until work on it starts."""
        milestone = self.milestone(position)
        self.served.do("client", "fundMilestone", CONTRACT, milestoneId=milestone, paymentToken="tok_ok")
        self.reaches(position, "ACTIVE")

    def submit(self, position: int = 1, message: str = "Here it is.", links: Sequence[str] = ()) -> None:
        milestone = self.milestone(position)
        given = {"milestoneId": milestone, "message": message, "links": list(links)}
        self.served.do("freelancer", "submitMilestone", CONTRACT, **given)

    def note(self, message: str) -> None:
        """The freelancer says something about its progress."""
        self.served.do("freelancer", "postUpdate", "update { message }", contractId=self.contract_id, message=message)

    def last_sequence(self) -> int:
        """The place of the last event of its log."""
        found: int = self.served.ask("client", LAST, id=self.contract_id)["contract"]["timeline"]["nodes"][0][
            "sequence"
        ]
        return found

    def reaches(self, position: int, state: str) -> None:
        """Wait until a milestone is in a state, to which the worker brings it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (found := self.plan()[position - 1]["state"]) != state:
            assert time.monotonic() < deadline, f"milestone {position} is {found}, not {state}"
            time.sleep(0.05)


def proposed(served: Served, title: str = "A logo", titles: Sequence[str] = TITLES, **terms: Any) -> Deal:
    """A contract that the client proposed, with a milestone for each of the titles."""
    made = served.do(
        "client",
        "proposeContract",
        CONTRACT,
        clientId=served.account("client"),
        freelancerId=served.account("freelancer"),
        title=title,
        currency="USD",
        milestones=[milestone(one, weeks=number) for number, one in enumerate(titles, start=1)],
        **terms,
    )
    return Deal(served, made["contract"]["id"])


def at_work(served: Served, title: str = "A logo", **terms: Any) -> Deal:
    """A contract whose first milestone is being worked on."""
    deal = proposed(served, title, **terms)
    deal.accept()
    deal.fund()
    return deal


def handed_in(served: Served, title: str = "A logo", **terms: Any) -> Deal:
    """A contract whose first milestone waits for the client's word."""
    deal = at_work(served, title, **terms)
    deal.submit()
    return deal


def milestone(title: str, *, weeks: int, amount: str = "200.00", **more: Any) -> dict[str, Any]:
    """A milestone as the API takes it, due in some weeks."""
    due = datetime.now(UTC) + timedelta(weeks=weeks)
    return {
        "title": title,
        "purpose": f"{title} are there",
        "amount": {"amount": amount, "currency": "USD"},
        "dueOn": due.date().isoformat(),
        "deliverables": [f"{title} as PDF"],
        **more,
    }
