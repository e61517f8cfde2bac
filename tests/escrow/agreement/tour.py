"""Stories that between them have every event there is: a tour for tests that must meet each of them.

A new event of a contract gets a story here, or finds its place in one; `test_totality.py` says when it is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from escrow.agreement import commands as c
from escrow.agreement.state import Attachment, Fees
from escrow.ids import Kind
from escrow.money import Money
from escrow.states import OrderKind
from tests.escrow.agreement.stage import CLIENT, FREELANCER, HOUR, Story, active, usd
from tests.escrow.agreement.tour_disputes import DISAGREEMENT_STORIES
from tests.escrow.agreement.tour_money import MONEY_STORIES

SHA: Final = "0123456789abcdef" * 4


def website() -> Story:
    """The website project of the articles: a counter-offer, a deposit that fails first, changes, and the last payout."""
    story = Story(fees=Fees(client_bps=250, freelancer_bps=1000))
    terms = c.Terms(
        title="A website for the bakery ☕",
        description="Five pages, in Portuguese and English.\nÁlvaro decides.",
        currency="USD",
        time_zone="Europe/Lisbon",
        budget=usd("5000.00"),
    )
    story.propose("400.00", "900.00", "1200.00", terms=terms, by=FREELANCER).wait(3 * HOUR)
    plan = (
        story.draft("500.00", title="Starting the project", purpose="Trust", deliverables=("A plan", "A date")),
        story.draft("750.01", title="Approving the wireframe", purpose="One picture before any page", deliverables=()),
        story.draft("1250.00", title="Testing and QA", purpose="Nothing breaks"),
    )
    changed = c.Terms(windows={"review_hours": 120, "deposit_hours": 48})
    story.do(c.Revise(contract_id=story.id, terms=changed, plan=plan, message="Smaller steps?"), CLIENT)
    story.wait(HOUR)
    story.do(c.Accept(contract_id=story.id, revision=2, message="Gladly"), FREELANCER)
    story.wait(HOUR).fund(1, token="tok_declined").wait(HOUR).fail(1)
    story.wait(HOUR).fund(1, token="tok_visa").wait(HOUR).confirm(1)
    story.wait(24 * HOUR).edit(3, title="Testing, QA and opening day", amount=usd("1300.00"), message="And the party")
    work = c.Submit(
        milestone_id=story.milestone(1).id,
        submission_id=story.fresh(Kind.SUBMISSION),
        message="The plan, and it has a date",
        links=("https://example.com/plan",),
        attachments=(Attachment("plan ✓.pdf", SHA),),
    )
    story.wait(HOUR).do(work, FREELANCER)
    story.wait(HOUR).request_changes(1).wait(HOUR).submit(1)
    story.wait(HOUR).do(c.Approve(milestone_id=story.milestone(1).id, message="Wonderful"), CLIENT)
    story.wait(HOUR).pay(2).wait(HOUR).submit(2)
    story.wait(HOUR).fund(3).confirm(3).wait(5 * 24 * HOUR).sweep()
    story.wait(HOUR).submit(3).approve(3)
    story.wait(HOUR).payout()
    return story.wait(HOUR).order_paid(last_order(story))


def plan_that_moves() -> Story:
    """Adding, editing, moving and removing until only what was paid is left, in a currency without decimals."""
    story = Story(currency="JPY", fees=Fees(client_bps=333, freelancer_bps=1)).propose("999", "1", "70000", by=CLIENT)
    story.accept().pay(1).wait(HOUR).add("500").add("600", position=2).move(2, 5).edit(
        2, due_on=story.milestone(1).due_on
    )
    story.edit(2, deliverables=(), purpose="Another purpose").approve(1)
    for position in (2, 3, 4, 5):
        story.wait(HOUR).remove(position)
    return story


def money_astray() -> Story:
    """Late, twice, in another sum and another currency; a return that fails and then succeeds after all."""
    story = active("10.00", "20.00").fund(1)
    first = story.deposit_id(1)
    story.wait(HOUR).cancel_funding(1).wait(HOUR).confirm(deposit_id=first).confirm(deposit_id=first)
    story.fund(1)
    second = story.deposit_id(1)
    story.confirm(amount=Money(77, "BHD")).confirm(deposit_id=second)
    orders = [order.id for order in story.state.orders.values() if order.kind is OrderKind.REFUND]
    story.order_paid(orders[0]).order_failed(orders[1]).order_failed(orders[2]).order_paid(orders[2])
    story.wait(HOUR).fund(1)
    story.wait(timedelta(days=30)).sweep().pay(1).approve(1).payout("5.00")
    payout = last_order(story)
    return story.order_failed(payout).payout().order_paid(payout).order_failed(last_order(story))


def declined() -> Story:
    story = Story().propose(by=CLIENT).wait(HOUR)
    story.do(c.Decline(contract_id=story.id, message="Too soon"), FREELANCER)
    return story


def withdrawn() -> Story:
    return Story(currency="BHD").propose("0.001").revise("0.002").wait(HOUR).withdraw()


def expired() -> Story:
    return Story().propose(windows={"offer_hours": 1}).wait(timedelta(days=100)).sweep()


def reminded() -> Story:
    """Silence that is announced every time: a deposit that nobody answers, changes in mid-window, and a release."""
    story = active("300.00", "200.00").fund(1).wait(timedelta(days=3)).sweep().pay(1).submit(1)
    story.wait(timedelta(days=8)).sweep().wait(HOUR).request_changes(1).wait(timedelta(days=30)).submit(1)
    for _ in range(14):
        story.wait(timedelta(days=1)).sweep()
    return story


STORIES: Final[dict[str, Callable[[], Story]]] = {
    "website": website,
    "plan-that-moves": plan_that_moves,
    "money-astray": money_astray,
    "declined": declined,
    "withdrawn": withdrawn,
    "expired": expired,
    "reminded": reminded,
    **MONEY_STORIES,
    **DISAGREEMENT_STORIES,
}


def last_order(story: Story) -> str:
    return list(story.state.orders)[-1]
