"""Tells the stories of people who don't agree at once: a counter-offer, a change request, a refund, a dispute.

Each is told on a contract of its own. `docs/stories/` holds a page for each, with the very events that it makes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from earnest.demo.story import Story, due_in, milestone, money

ANSWER_DAYS: Final = 2
"""How long these contracts let the other side think: the shortest there may be, since the test clock moves for all."""

QUICK: Final = {
    "reviewHours": ANSWER_DAYS * 24,
    "refundAnswerHours": ANSWER_DAYS * 24,
    "disputeAnswerHours": ANSWER_DAYS * 24,
}


class _Shorter(Story):
    """A logo in three milestones: sketches, drafts, files."""

    async def agree(self, client_id: str, freelancer_id: str) -> None:
        """The client proposes, the freelancer accepts."""
        await self.propose(
            self.client,
            clientId=client_id,
            freelancerId=freelancer_id,
            title="A logo",
            windows=QUICK,
            milestones=logo("200.00", "500.00", "300.00"),
        )
        await self.act(self.freelancer, "acceptContract", contractId=self.contract_id, revision=1)


def logo(sketches: str, drafts: str, files: str) -> list[dict[str, object]]:
    """The plan of the logo at these prices."""
    return [
        milestone("Sketches", "A direction is chosen", sketches, weeks=1, deliverables=("Twelve sketches on paper",)),
        milestone("Drafts", "The chosen one is drawn", drafts, weeks=3, deliverables=("Three drafts in two colours",)),
        milestone("Files", "It can be used everywhere", files, weeks=4, deliverables=("The logo as SVG and PDF",)),
    ]


class CounterOffer(Story):
    """Money is deposited before anybody agreed; a counter-offer sends it back, and another plan is agreed on."""

    async def tell(self, client_id: str, freelancer_id: str) -> None:
        self.say("The client proposes a logo for 1000 dollars in three milestones.")
        await self.propose(
            self.client,
            clientId=client_id,
            freelancerId=freelancer_id,
            title="A logo",
            milestones=logo("200.00", "500.00", "300.00"),
        )
        self.say("To show that it means it, the client pays for the first milestone before anybody has agreed.")
        first = await self.milestone(1)
        await self.act(self.client, "fundMilestone", milestoneId=first, paymentToken="tok_ok", revision=1)
        await self.timeline.until("milestone.funded", first)
        self.say("The freelancer would rather be paid more for the drafts. A new revision sends the deposit back.")
        await self.act(
            self.freelancer,
            "reviseContract",
            contractId=self.contract_id,
            milestones=logo("200.00", "700.00", "300.00"),
            message="Three drafts take me two weeks.",
        )
        await self.timeline.until("refund.paid")
        self.say("The client offers to meet in the middle, and the freelancer accepts that revision and no other.")
        await self.act(
            self.client,
            "reviseContract",
            contractId=self.contract_id,
            milestones=logo("200.00", "600.00", "300.00"),
            message="Shall we say 600?",
        )
        await self.act(self.freelancer, "acceptContract", contractId=self.contract_id, revision=3, message="Deal.")
        self.say("The client pays for the first milestone of the plan that both agreed on, and work starts.")
        await self.start(await self.milestone(1))


class ChangeRequest(_Shorter):
    """The freelancer can't change the plan, but ask for it; a request that no longer fits becomes stale."""

    async def tell(self, client_id: str, freelancer_id: str) -> None:
        self.say("A logo in three milestones is agreed on, and work on the first one starts.")
        await self.agree(client_id, freelancer_id)
        first = await self.milestone(1)
        await self.start(first)
        drafts, files = await self.milestone(2), await self.milestone(3)
        self.say(
            "The freelancer asks for more drafts at a higher price, a style guide, and a week more for the sketches."
        )
        guide = milestone("Style guide", "Others use it right", "250.00", weeks=6, deliverables=("Ten pages as PDF",))
        later = due_in(weeks=2)
        request = await self.make(
            self.freelancer,
            "fileChangeRequest",
            "changeRequest",
            contractId=self.contract_id,
            message="You asked for five drafts, and for a guide.",
            changes=[
                {"edit": {"milestoneId": drafts, "amount": money("650.00"), "deliverables": ["Five drafts"]}},
                {"add": {"milestone": guide}},
                {"amend": {"milestoneId": first, "dueOn": later}},
            ],
        )
        self.say("The client looks at the plan before and after, and accepts: all of it, in one write.")
        await self.act(self.client, "acceptChangeRequest", changeRequestId=request)
        self.say("A second request would move the files before the drafts. The client pays for the drafts meanwhile.")
        second = await self.make(
            self.freelancer,
            "fileChangeRequest",
            "changeRequest",
            contractId=self.contract_id,
            message="The files could come first.",
            changes=[{"move": {"milestoneId": files, "position": 2}}],
        )
        await self.fund(drafts)
        await self.timeline.until("milestone.funded", drafts)
        self.say("Nothing can be placed before what is paid for, so the request no longer fits: it is stale now.")
        await self.refused(self.client, "acceptChangeRequest", "STALE_CHANGE_REQUEST", changeRequestId=second)


class Refund(_Shorter):
    """The client asks for money back: once a part, which is given; once everything, and nobody answers."""

    async def tell(self, client_id: str, freelancer_id: str) -> None:
        self.say("A logo is agreed on, and work on the sketches starts.")
        await self.agree(client_id, freelancer_id)
        sketches = await self.milestone(1)
        await self.start(sketches)
        self.say(
            "Only half of the sketches came. The client asks for part of the money; the review clock stands still."
        )
        await self.submit(sketches, "Six sketches; I ran out of time.", "https://logo.example/sketches")
        request = await self.make(
            self.client,
            "requestRefund",
            "refundRequest",
            milestoneId=sketches,
            amount=money("80.00"),
            message="Six of twelve: shall we say 80 back?",
        )
        self.say("The freelancer agrees. The price is lower by that now, and the review goes on.")
        await self.act(self.freelancer, "acceptRefund", refundId=request, message="Fair.")
        await self.timeline.until("refund.paid")
        await self.approve(sketches, "Thank you. We take the third.")
        self.say("The drafts are paid for. Weeks later nothing has come, and the client asks for all of it.")
        drafts = await self.milestone(2)
        await self.start(drafts)
        await self.make(
            self.client, "requestRefund", "refundRequest", milestoneId=drafts, message="We have not heard from you."
        )
        self.say(f"The freelancer stays silent for {ANSWER_DAYS} days, and silence refunds.")
        await self.pass_days(ANSWER_DAYS)
        await self.timeline.until("milestone.refunded", drafts)
        await self.timeline.until("refund.paid")
        self.say("The client ends the contract. Nothing is held any more, so it ends at once.")
        await self.act(self.client, "endContract", contractId=self.contract_id, message="Good luck.")


class Dispute(_Shorter):
    """A refund request is declined, both sides argue, offers fail, and a mediator decides."""

    async def tell(self, client_id: str, freelancer_id: str) -> None:
        self.say("A logo is agreed on, the sketches are paid for and handed in.")
        await self.agree(client_id, freelancer_id)
        sketches = await self.milestone(1)
        await self.start(sketches)
        await self.submit(sketches, "Twelve sketches.", "https://logo.example/sketches")
        self.say("The client doesn't like them and asks for everything back.")
        request = await self.make(
            self.client,
            "requestRefund",
            "refundRequest",
            milestoneId=sketches,
            message="These are twelve times the same.",
        )
        self.say(
            "The freelancer declines. That opens a dispute, which begins in mediation; the money stays where it is."
        )
        dispute = await self.make(
            self.freelancer,
            "declineRefund",
            "dispute",
            refundId=request,
            reason="They are twelve sketches of what you asked for.",
        )
        self.say("Both sides bring forward what they have.")
        for who, text, name in (
            (self.client, "Numbers 1, 4 and 9 differ in their colour only.", "sketches.png"),
            (self.freelancer, "The brief says: variations of a star.", "brief.pdf"),
        ):
            files = [{"name": name, "sha256": "0" * 64}]
            await self.act(who, "addEvidence", disputeId=dispute, text=text, attachments=files)
        self.say("The client offers a quarter, the freelancer asks for three. They don't meet.")
        for who, amount in ((self.client, "50.00"), (self.freelancer, "150.00")):
            await self.act(who, "offerSettlement", disputeId=dispute, toFreelancer=money(amount))
        self.say("The mediator reads all of it and decides, with a reason: 120 dollars to the freelancer, 80 back.")
        await self.decide(dispute, "120.00", "Twelve sketches came, but three of them repeat others.")
        await self.timeline.until("milestone.settled", sketches)
        await self.timeline.until("refund.paid")
        self.say("The money that was split is on its way out.")
        await self.pay_out()

    async def decide(self, dispute: str, to_freelancer: str, reason: str) -> None:
        await self.mediator.do(
            "decideDispute", "dispute { state }", disputeId=dispute, toFreelancer=money(to_freelancer), reason=reason
        )
        await self.timeline.catch_up()


STORIES: Final[dict[str, Callable[..., Story]]] = {
    "counter-offer": CounterOffer,
    "change-request": ChangeRequest,
    "refund": Refund,
    "dispute": Dispute,
}
"""By the names of their pages."""
