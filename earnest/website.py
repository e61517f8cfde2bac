"""The website project of the articles, as a story: who does what, in which order, and what they say to each other.

Both halves go through the GraphQL API with the parties' own keys. The first leaves the contract in the middle of the
project, with work waiting for the client; the second goes on to the last payout.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from earnest.graphql import Api
from earnest.timeline import Arrived, Event, Timeline

CURRENCY: Final = "USD"
REVIEW_DAYS: Final = 14
"""What a contract has unless it says otherwise."""

Say = Callable[[str], None]


def milestone(title: str, purpose: str, amount: str, *, weeks: int, deliverables: tuple[str, ...]) -> dict[str, Any]:
    """A milestone as the API takes it, due some weeks from now."""
    return {
        "title": title,
        "purpose": purpose,
        "amount": {"amount": amount, "currency": CURRENCY},
        "dueOn": (datetime.now(UTC) + timedelta(weeks=weeks)).date().isoformat(),
        "deliverables": list(deliverables),
    }


def plan(start: str, wireframe: str, design: str, testing: str) -> list[dict[str, Any]]:
    """Four of the article's five milestones at these prices; the fifth joins while the work is under way."""
    return [
        milestone(
            "Starting the project",
            "Both sides know what will be built and for whom",
            start,
            weeks=1,
            deliverables=("A one-page brief", "A list of all pages"),
        ),
        milestone(
            "Approving the wireframe",
            "The structure is settled before anything is designed",
            wireframe,
            weeks=3,
            deliverables=("Wireframes of the five page types",),
        ),
        milestone(
            "Finalizing page design",
            "Every page looks as it will",
            design,
            weeks=6,
            deliverables=("Designs of all pages, for phones and desks",),
        ),
        milestone(
            "Testing and QA",
            "The site works for everybody",
            testing,
            weeks=10,
            deliverables=("A test report", "All findings of weight mended"),
        ),
    ]


class Website:
    """One run of the story between a client and a freelancer. `say` tells it, `show` gets each event.

    `operator` moves the test clock for the second half. `review_days` is how long the client may stay silent. `arrived`
    waits until the partner got an event, which is shown then.
    """

    def __init__(
        self,
        *,
        client: Api,
        freelancer: Api,
        say: Say,
        show: Callable[[Event], None],
        operator: Api | None = None,
        review_days: int = REVIEW_DAYS,
        arrived: Arrived | None = None,
    ) -> None:
        self.client = client
        self.operator = operator
        self.review_days = review_days
        self.freelancer = freelancer
        self.say = say
        self.show = show
        self.arrived = arrived
        self.contract_id = ""
        self._followed: Timeline | None = None

    async def first_half(self, client_id: str, freelancer_id: str) -> None:
        """From the proposal to the second milestone's first submission."""
        await self._agree(client_id, freelancer_id)
        kickoff = await self._milestone(1)
        self.say("The client pays for the first milestone. The card is declined; another one is not.")
        await self._fund(kickoff, token="tok_fail")  # noqa: S106 - a test token of the sandbox
        await self.timeline.until("deposit.failed")
        await self._fund(kickoff)
        await self.timeline.until("milestone.activated", kickoff)
        self.say("The brief was written in one call: the client approves without a submission.")
        await self._approve(kickoff, "Thank you for the call. That is exactly the site that we need.")
        wireframe = await self._milestone(2)
        self.say("The next milestone is paid for, and work on it starts.")
        await self._fund(wireframe)
        await self.timeline.until("milestone.activated", wireframe)
        await self._edit_the_plan()
        self.say(f"The freelancer hands in the wireframes. The client has {self.review_days} days to answer.")
        await self._submit(wireframe, "The wireframes of all five page types.", "https://design.example/wireframes/1")

    async def second_half(self) -> None:
        """From there to the completed contract and the last payout."""
        wireframe = await self._milestone(2)
        self.say("The client asks for changes, gets them, and approves.")
        note = "The footer is missing on two page types, and search should be on every page."
        await self._act(self.client, "requestChanges", milestoneId=wireframe, note=note)
        await self._submit(wireframe, "Footer and search are on every page.", "https://design.example/wireframes/2")
        await self._approve(wireframe, "Now it is what we meant.")
        self.say("The freelancer has what was released so far paid out.")
        await self._pay_out()
        await self._whole_milestone(3, "designs")
        await self._silence(4, "texts and pictures")
        await self._whole_milestone(5, "test report")
        await self.timeline.until("contract.completed")
        self.say("Everything is approved, the contract is completed. The last payout:")
        await self._pay_out()

    def follow(self, contract_id: str) -> None:
        """Take up the story of this contract."""
        self.contract_id = contract_id
        self._followed = Timeline(self.client, contract_id, self.show, arrived=self.arrived)

    @property
    def timeline(self) -> Timeline:
        if self._followed is None:
            raise ValueError("there is no contract to follow yet")
        return self._followed

    async def _agree(self, client_id: str, freelancer_id: str) -> None:
        self.say("The client proposes a website in four milestones.")
        payload = await self.client.do(
            "proposeContract",
            "contract { id }",
            clientId=client_id,
            freelancerId=freelancer_id,
            title="A new website",
            description="A website of about twenty pages for a small company, from the first call to the last test.",
            currency=CURRENCY,
            timeZone="Europe/Lisbon",
            budget={"amount": "5000.00", "currency": CURRENCY},
            windows={"reviewHours": 24 * self.review_days},
            milestones=plan("300.00", "700.00", "1400.00", "800.00"),
            message="We would like to start next week.",
        )
        self.follow(payload["contract"]["id"])
        await self.timeline.catch_up()
        self.say("The freelancer answers with other prices, and the client accepts.")
        await self._act(
            self.freelancer,
            "reviseContract",
            contractId=self.contract_id,
            milestones=plan("400.00", "800.00", "1500.00", "900.00"),
            message="Happy to. The design takes longer than that.",
        )
        accepted = {"contractId": self.contract_id, "revision": 2, "message": "Agreed."}
        await self._act(self.client, "acceptContract", **accepted)

    async def _edit_the_plan(self) -> None:
        """What is still planned changes while the work goes on; the active milestone is locked."""
        self.say("Meanwhile the client changes what is still planned: a higher price, a fifth milestone, its place.")
        design = await self._milestone(3)
        more = {"amount": "1600.00", "currency": CURRENCY}
        words = "Please design the shop, too."
        await self._act(self.client, "editMilestone", milestoneId=design, amount=more, message=words)
        content = milestone(
            "Developing content",
            "The site has something to say",
            "1300.00",
            weeks=8,
            deliverables=("Texts of all pages", "Forty pictures"),
        )
        await self._act(self.client, "addMilestone", contractId=self.contract_id, milestone=content)
        added = await self._milestone(5)
        before = "Content comes before the tests."
        await self._act(self.client, "moveMilestone", milestoneId=added, position=4, message=before)

    async def _whole_milestone(self, position: int, what: str) -> None:
        milestone_id = await self._milestone(position)
        self.say(f"Milestone {position}: paid for, handed in, approved.")
        await self._fund(milestone_id)
        await self.timeline.until("milestone.activated", milestone_id)
        await self._submit(milestone_id, f"The {what}.", f"https://design.example/{position}")
        await self._approve(milestone_id, "Very good.")

    async def _silence(self, position: int, what: str) -> None:
        """The client says nothing until the review window is over; the test clock makes it a moment."""
        if self.operator is None:
            raise ValueError("only the operator moves the test clock")
        milestone_id = await self._milestone(position)
        self.say(
            f"Milestone {position}: paid for and handed in. The client stays silent; {self.review_days} days later ..."
        )
        await self._fund(milestone_id)
        await self.timeline.until("milestone.activated", milestone_id)
        await self._submit(milestone_id, f"The {what}.", f"https://design.example/{position}")
        way = await self.operator.do("advanceTestClock", "to hasMore", by=f"P{self.review_days}D")
        while way["hasMore"]:
            way = await self.operator.do("advanceTestClock", "to hasMore", to=way["to"])
        await self.timeline.until("milestone.released", milestone_id)

    async def _milestone(self, position: int) -> str:
        document = "query Plan($id: ID!) { contract(id: $id) { milestones { id position } } }"
        data = await self.client.ask(document, id=self.contract_id)
        return next(str(each["id"]) for each in data["contract"]["milestones"] if each["position"] == position)

    async def _fund(self, milestone_id: str, *, token: str = "tok_ok") -> None:  # noqa: S107 - as above
        await self._act(self.client, "fundMilestone", milestoneId=milestone_id, paymentToken=token)

    async def _submit(self, milestone_id: str, message: str, link: str) -> None:
        await self._act(self.freelancer, "submitMilestone", milestoneId=milestone_id, message=message, links=[link])

    async def _approve(self, milestone_id: str, message: str) -> None:
        await self._act(self.client, "approveMilestone", milestoneId=milestone_id, message=message)
        await self.timeline.until("milestone.released", milestone_id)

    async def _pay_out(self) -> None:
        await self._act(self.freelancer, "requestPayout", contractId=self.contract_id)
        await self.timeline.until("payout.paid")

    async def _act(self, who: Api, mutation: str, **given: object) -> None:
        await who.do(mutation, "contract { id }", **given)
        await self.timeline.catch_up()
