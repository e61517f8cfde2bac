"""Stories of people who disagree, which between them have every event of refund requests, disputes and endings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from escrow.agreement import commands as c
from escrow.agreement.state import Attachment, Fees
from escrow.ids import Kind
from tests.escrow.agreement.stage import CLIENT, FREELANCER, HOUR, MEDIATOR, OPERATOR, Story, active

DAY: Final = timedelta(days=1)
SHA: Final = "fedcba9876543210" * 4


def asked_back() -> Story:
    """Refund requests of every end: withdrawn, accepted in part, unanswered; and parts and the rest given freely."""
    story = Story(currency="BHD", fees=Fees(client_bps=333, freelancer_bps=777)).propose("999.999", "250.000", "77.007")
    story.accept().pay(1).wait(DAY).pay(2).wait(DAY).submit(1)
    milestone_id, refund_id = story.milestone(1).id, story.fresh(Kind.REFUND_REQUEST)
    ask = c.RequestRefund(
        milestone_id=milestone_id, refund_id=refund_id, amount=story.money("333.333"), message="A third is missing"
    )
    story.wait(DAY).do(ask, CLIENT)
    story.wait(DAY).do(c.WithdrawRefund(refund_id=refund_id, message="Found it"), CLIENT)
    story.wait(3 * DAY).request_refund(1, "100.001").wait(DAY)
    story.do(c.AcceptRefund(refund_id=story.refund(1).id, message="Fair"), FREELANCER)
    give = c.GiveRefund(milestone_id=milestone_id, amount=story.money("0.007"), message="And the rounding")
    story.wait(HOUR).do(give, FREELANCER)
    story.request_refund(2, "50.000").wait(7 * DAY).sweep()
    story.wait(20 * DAY).sweep().wait(DAY).give_refund(2)
    return story.pay(3).wait(HOUR).approve(3)


def decided() -> Story:
    """A declined request, evidence from both sides, offers that nobody takes, an overdue notice and a decision."""
    story = Story(currency="JPY", fees=Fees(client_bps=250, freelancer_bps=1000)).propose("100001", "3").accept()
    story.pay(1).submit(1).wait(DAY).request_refund(1).wait(DAY).decline_refund(1, claim="90000")
    dispute_id = story.dispute(1).id
    evidence = c.AddEvidence(
        dispute_id=dispute_id,
        text="It says 404 — everywhere",
        links=("https://example.com/404",),
        attachments=(Attachment("404 ✗.png", SHA),),
    )
    story.wait(HOUR).do(evidence, CLIENT)
    story.wait(HOUR).argue(1, by=FREELANCER).offer("80000", 1, by=FREELANCER).offer("20000", 1, by=CLIENT)
    story.wait(HOUR).withdraw_offer(1, by=CLIENT).withdraw_dispute(1, by=CLIENT)
    story.wait(32 * DAY).sweep().wait(HOUR)
    split = c.DecideDispute(
        dispute_id=dispute_id, to_freelancer=story.money("33334"), reason="A third of the pages is there"
    )
    story.do(split, MEDIATOR)
    return story


def argued_and_made_up() -> Story:
    """Disputes by either side: taken back, rejected, settled, carried out by silence, accepted."""
    story = active("500.00", "400.00", "300.00", "200.00").pay(1).submit(1)
    story.open_dispute(1, claim="450.00", by=FREELANCER).wait(DAY)
    story.do(c.WithdrawDispute(dispute_id=story.dispute(1).id, message="Sorry"), FREELANCER)
    story.wait(DAY).open_dispute(1, claim="100.00").wait(DAY)
    story.do(c.RejectClaim(dispute_id=story.dispute(1).id, message="Not at all"), FREELANCER)
    story.wait(DAY)
    offer = c.OfferSettlement(
        dispute_id=story.dispute(1).id, to_freelancer=story.money("321.09"), message="Meet me there"
    )
    story.do(offer, FREELANCER)
    story.wait(DAY).accept_offer("321.09", 1, by=CLIENT)
    story.pay(2).wait(DAY).open_dispute(2, claim="400.00", by=FREELANCER).wait(8 * DAY).sweep()
    story.withdraw_dispute(2, by=FREELANCER).wait(DAY).withdraw_dispute(2, by=CLIENT).wait(DAY)
    story.open_dispute(2, claim="0.00").wait(8 * DAY).sweep().pay(3).submit(3).open_dispute(
        3, claim="299.99", by=FREELANCER
    )
    story.do(c.AcceptClaim(dispute_id=story.dispute(3).id, message="Have it"), CLIENT)
    return story.pay(4).open_dispute(4, claim="0.00").wait(HOUR).approve(4)


def ended_by_the_client() -> Story:
    """An ending that is taken back and begun again: a dispute goes on, a request is declined, one is not answered."""
    story = active("500.00", "400.00", "300.00").pay(1).submit(1).fund(2).wait(DAY)
    story.do(c.End(contract_id=story.id, message="We are moving away"), CLIENT)
    story.wait(DAY).do(c.WithdrawEnd(contract_id=story.id, message="We stay"), CLIENT)
    story.pay(2).wait(3 * DAY).open_dispute(1, claim="250.00").wait(HOUR).end().wait(HOUR).withdraw_dispute(1)
    story.wait(DAY).decline_refund(1).wait(7 * DAY).sweep()
    return story.decide("499.99", 1, by=OPERATOR)


def ended_by_the_freelancer() -> Story:
    """What is held is given up, whatever holds it, and what was earned is paid out."""
    story = active("500.00", "400.00", "300.00").pay(1).submit(1).approve(1).pay(2).pay(3).wait(DAY)
    story.open_dispute(2, claim="400.00", by=FREELANCER).request_refund(3, "1.00").wait(DAY)
    leave = c.End(contract_id=story.id, giving_up=story.money("700.00"), message="I am ill")
    story.do(leave, FREELANCER)
    return story.wait(DAY).payout()


DISAGREEMENT_STORIES: Final[dict[str, Callable[[], Story]]] = {
    "asked-back": asked_back,
    "decided": decided,
    "argued-and-made-up": argued_and_made_up,
    "ended-by-the-client": ended_by_the_client,
    "ended-by-the-freelancer": ended_by_the_freelancer,
}
