"""Tells the story of the website project from the articles: who does what, in which order, and what they say.

Both halves go through the GraphQL API with the parties' own keys. The first leaves the contract in the middle of the
project, with work waiting for the client; the second goes on to the last payout.
"""

from __future__ import annotations

from typing import Any, Final

from earnest.demo.story import Story, milestone, money

REVIEW_DAYS: Final = 14
"""What a contract has unless it says otherwise."""


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


class Website(Story):
    """The story of the articles. `review_days` is how long the client may stay silent; `operator` moves the test clock for the
    second half.
    """

    def __init__(self, *, review_days: int = REVIEW_DAYS, **who: Any) -> None:
        super().__init__(**who)
        self.review_days = review_days

    async def tell(self, client_id: str, freelancer_id: str) -> None:
        """Both halves."""
        await self.first_half(client_id, freelancer_id)
        await self.second_half()

    async def first_half(self, client_id: str, freelancer_id: str) -> None:
        """From the proposal to the second milestone's first submission."""
        await self._agree(client_id, freelancer_id)
        kickoff = await self.milestone(1)
        self.say("The client pays for the first milestone. The card is declined; another one is not.")
        await self.fund(kickoff, token="tok_fail")  # noqa: S106 - a test token of the sandbox
        await self.timeline.until("deposit.failed")
        await self.fund(kickoff)
        await self.timeline.until("milestone.activated", kickoff)
        self.say("The brief was written in one call: the client approves without a submission.")
        await self.approve(kickoff, "Thank you for the call. That is exactly the site that we need.")
        wireframe = await self.milestone(2)
        self.say("The next milestone is paid for, and work on it starts.")
        await self.fund(wireframe)
        await self.timeline.until("milestone.activated", wireframe)
        await self._edit_the_plan()
        self.say(f"The freelancer hands in the wireframes. The client has {self.review_days} days to answer.")
        await self.submit(wireframe, "The wireframes of all five page types.", "https://design.example/wireframes/1")

    async def second_half(self) -> None:
        """From there to the completed contract and the last payout."""
        wireframe = await self.milestone(2)
        self.say("The client asks for changes, gets them, and approves.")
        note = "The footer is missing on two page types, and search should be on every page."
        await self.act(self.client, "requestChanges", milestoneId=wireframe, note=note)
        await self.submit(wireframe, "Footer and search are on every page.", "https://design.example/wireframes/2")
        await self.approve(wireframe, "Now it is what we meant.")
        self.say("The freelancer has what was released so far paid out.")
        await self.pay_out()
        await self._whole_milestone(3, "designs")
        await self._silence(4, "texts and pictures")
        await self._whole_milestone(5, "test report")
        await self.timeline.until("contract.completed")
        self.say("Everything is approved, the contract is completed. The last payout:")
        await self.pay_out()

    async def _agree(self, client_id: str, freelancer_id: str) -> None:
        self.say("The client proposes a website in four milestones.")
        await self.propose(
            self.client,
            clientId=client_id,
            freelancerId=freelancer_id,
            title="A new website",
            description="A website of about twenty pages for a small company, from the first call to the last test.",
            timeZone="Europe/Lisbon",
            budget=money("5000.00"),
            windows={"reviewHours": 24 * self.review_days},
            milestones=plan("300.00", "700.00", "1400.00", "800.00"),
            message="We would like to start next week.",
        )
        self.say("The freelancer answers with other prices, and the client accepts.")
        await self.act(
            self.freelancer,
            "reviseContract",
            contractId=self.contract_id,
            milestones=plan("400.00", "800.00", "1500.00", "900.00"),
            message="Happy to. The design takes longer than that.",
        )
        accepted = {"contractId": self.contract_id, "revision": 2, "message": "Agreed."}
        await self.act(self.client, "acceptContract", **accepted)

    async def _edit_the_plan(self) -> None:
        """What is still planned changes while the work goes on; the active milestone is locked."""
        self.say("Meanwhile the client changes what is still planned: a higher price, a fifth milestone, its place.")
        design = await self.milestone(3)
        more = money("1600.00")
        words = "Please design the shop, too."
        await self.act(self.client, "editMilestone", milestoneId=design, amount=more, message=words)
        content = milestone(
            "Developing content",
            "The site has something to say",
            "1300.00",
            weeks=8,
            deliverables=("Texts of all pages", "Forty pictures"),
        )
        await self.act(self.client, "addMilestone", contractId=self.contract_id, milestone=content)
        added = await self.milestone(5)
        before = "Content comes before the tests."
        await self.act(self.client, "moveMilestone", milestoneId=added, position=4, message=before)

    async def _whole_milestone(self, position: int, what: str) -> None:
        milestone_id = await self.milestone(position)
        self.say(f"Milestone {position}: paid for, handed in, approved.")
        await self.fund(milestone_id)
        await self.timeline.until("milestone.activated", milestone_id)
        await self.submit(milestone_id, f"The {what}.", f"https://design.example/{position}")
        await self.approve(milestone_id, "Very good.")

    async def _silence(self, position: int, what: str) -> None:
        """The client says nothing until the review window is over; the test clock makes it a moment."""
        milestone_id = await self.milestone(position)
        self.say(
            f"Milestone {position}: paid for and handed in. The client stays silent; {self.review_days} days later ..."
        )
        await self.fund(milestone_id)
        await self.timeline.until("milestone.activated", milestone_id)
        await self.submit(milestone_id, f"The {what}.", f"https://design.example/{position}")
        await self.pass_days(self.review_days)
        await self.timeline.until("milestone.released", milestone_id)
