"""The part of the tour that is about money and agreement: deposits before acceptance, changes by request, approvals with less
and with a bonus, chargebacks, silence, and payouts by themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Final

from escrow.agreement import commands as c
from escrow.agreement.state import Attachment, DepositTerm, Fees
from escrow.money import Money
from escrow.states import ActionKind, OrderOutcome
from escrow.terms import Terms
from tests.escrow.agreement.acts import (
    LOST,
    WITHDRAWN,
    WON,
    accept,
    approve,
    book,
    decline,
    deposit,
    file,
    find_out,
    fund_all,
    get_stuck,
    has_acted,
    must_act,
    overtake,
    resolve,
    reverse,
    set_payouts,
    update,
    withdraw,
)
from tests.escrow.agreement.stage import CLIENT, FREELANCER, HOUR, Story, active, usd

SHA: Final = "fedcba9876543210" * 4


def funded_proposals() -> Story:
    """Everything is deposited, comes back with a counter-offer, and comes again; then the proposal is withdrawn."""
    story = Story(fees=Fees(client_bps=333, freelancer_bps=1000))
    terms = c.Terms(title="A shop", description="With a till", currency="USD", deposit_term=DepositTerm.ALL)
    fund_all(story.propose("10.01", "20.02", by=CLIENT, terms=terms)).wait(HOUR).confirm().wait(HOUR)
    story.revise("15.00").wait(HOUR)
    fund_all(story).wait(HOUR)
    story.withdraw().wait(HOUR)
    return story.confirm(deposit_id=deposit(story).id)


def changed_by_request() -> Story:
    """What the freelancer asks for: all at once, declined, withdrawn, stale; and what either side amends."""
    story = active("100.00", "50.00", "20.00").pay(1).wait(HOUR)
    first, second, third = story.state.milestones
    added = story.draft("7.50", title="A sitemap", purpose="It is found", deliverables=("One file",))
    file(
        story,
        c.AddChange(milestone=added, position=2),
        c.EditChange(milestone_id=second.id, title="Bigger", amount=usd("55.00"), due_on=date(2026, 4, 30)),
        c.MoveChange(milestone_id=third.id, position=2),
        c.RemoveChange(milestone_id=second.id),
        c.AmendChange(milestone_id=first.id, due_on=date(2026, 5, 1), deliverables=("A better page", "Its source")),
        message="The shop needs a sitemap ✓",
    )
    accept(story.wait(HOUR))
    decline(file(story.wait(HOUR), c.RemoveChange(milestone_id=third.id)))
    withdraw(file(story.wait(HOUR), c.RemoveChange(milestone_id=third.id)))
    file(story.wait(HOUR), c.RemoveChange(milestone_id=third.id)).remove(2)
    accept(story.wait(HOUR))
    accept(file(story, c.AmendChange(milestone_id=first.id, deliverables=()), by=CLIENT).wait(HOUR), by=FREELANCER)
    file(story, c.EditChange(milestone_id=added.id, title="Never"))
    return story.end(by=FREELANCER, giving_up="100.00")


def approved_with_less_and_more() -> Story:
    """In yen: less, whose rest rolls forward twice, and bonuses that come, fail, come too late, and are paid out."""
    story = fund_all(
        active("9999", "777", "55", currency="JPY", fees=Fees(client_bps=333, freelancer_bps=77))
    ).confirm()
    set_payouts(story.wait(HOUR), True)
    update(story.submit(1).wait(HOUR), position=1, by=CLIENT, message="Looks good so far")
    story.do(
        c.PostUpdate(
            contract_id=story.id,
            message="More tomorrow",
            links=("https://example.com/tomorrow",),
            attachments=(Attachment("tomorrow ✓.png", SHA),),
        ),
        FREELANCER,
    )
    approve(story, amount="4321", bonus="99")
    story.confirm(deposit_id=deposit(story).id).wait(HOUR)
    approve(story, 2, amount="1", bonus="100")
    story.fail(deposit_id=deposit(story).id)
    approve(story.wait(HOUR), 2, bonus="101")
    late = deposit(story).id
    story.wait(timedelta(days=4)).sweep()
    story.confirm(deposit_id=late)
    approve(story, 3)
    return set_payouts(story, False)


def taken_back_by_the_bank() -> Story:
    """Four deposits under reversal: one is won, one is lost but for a part, one is won after it was given up, and one is let go
    on by the operator, won, and reversed once more, until the client takes that back. Long silence between."""
    story = active("0.100", "0.200", "0.300", "0.400", currency="BHD", fees=Fees(client_bps=999, freelancer_bps=1))
    story.pay(1)
    first = deposit(story).id
    story.submit().wait(timedelta(days=13))
    reverse(story, first, reversal_id="dp_1", evidence_due_at=story.now + timedelta(days=7))
    story.wait(timedelta(days=200)).sweep()
    reverse(story, first, reversal_id="dp_1", outcome=WON).wait(timedelta(days=1)).fund(2)
    second = deposit(story).id
    story.confirm(2)
    approve(story, amount="0.033")
    story.fund(3)
    third = deposit(story).id
    approve(story.confirm(3), 2, amount="0.001").submit(3)
    reverse(reverse(story, second).wait(HOUR), third)
    reverse(story.wait(HOUR), second, Money(150, "BHD"), outcome=LOST)
    reverse(story.wait(HOUR), third, outcome=WON).wait(HOUR).pay(4)
    fourth = deposit(story).id
    resolve(reverse(story.wait(HOUR), fourth, reversal_id="dp_4"), fourth, WON)
    reverse(story.wait(HOUR), fourth, reversal_id="dp_4", outcome=WON)
    reverse(story.wait(HOUR), fourth, Money(99, "BHD"), reversal_id="dp_5")
    return reverse(story.wait(HOUR), fourth, Money(99, "BHD"), reversal_id="dp_5", outcome=WITHDRAWN)


def lost_on_a_proposal() -> Story:
    """A deposit that is lost before acceptance leaves the milestone planned, to be funded again."""
    story = Story().propose("5.00", "6.00", by=CLIENT).fund(revision=1).confirm()
    resolve(reverse(story, deposit(story).id).wait(HOUR), deposit(story).id, LOST)
    story.wait(HOUR).fund(revision=1).confirm()
    reverse(story.wait(HOUR), deposit(story).id)
    return story.accept()


def taken_back_after_it_was_sent_back() -> Story:
    """What came too late and another sum, both sent back and then taken back by the bank: one is won, one is lost."""
    story = active("100.00", "50.00", fees=Fees(client_bps=333, freelancer_bps=1000)).fund(1)
    late = deposit(story).id
    story.wait(HOUR).cancel_funding().wait(HOUR).confirm(deposit_id=late).wait(HOUR).fund(1)
    other = deposit(story).id
    came = Money(99_99, "EUR")
    story.wait(HOUR).confirm(amount=came).wait(HOUR)
    reverse(reverse(story, late).wait(HOUR), other, came).wait(HOUR)
    reverse(story, late, outcome=WON).wait(HOUR)
    return resolve(story, other, LOST).pay(1)


def what_it_cost() -> Story:
    """A charge in another currency than the provider keeps, with its fee, a part of which comes back; and a refund of it."""
    story = active("100.00", "50.00", currency="EUR").pay(1).wait(HOUR)
    book(story, "txn_1", fee=Money(3_41, "USD"), given=Money(103_00, "EUR"), got=Money(111_24, "USD"))
    story.wait(HOUR).give_refund(1, "40.00").wait(HOUR)
    book(story, "txn_2", given=Money(44_90, "USD"), got=Money(41_20, "EUR")).approve(1).wait(HOUR)
    return book(story, "txn_3", fee=Money(1_00, "USD"), is_fee_returned=True)


def money_in_doubt() -> Story:
    """A payer who acts in time and one who doesn't; what was paid and came back; orders that nobody knew about."""
    story = active("100.00", "50.00", fees=Fees(client_bps=333, freelancer_bps=1000)).fund(1)
    must_act(story.wait(HOUR), ActionKind.CONFIRM, within=HOUR).wait(HOUR).sweep()
    must_act(story.wait(HOUR).fund(1), ActionKind.REDIRECT, within=HOUR).wait(HOUR / 2)
    has_acted(story).confirm().wait(HOUR)
    approve(story)
    for outcome in (OrderOutcome.NEVER_HAPPENED, OrderOutcome.PAID):
        payout = last_order(story.payout("20.00"))
        find_out(get_stuck(story.wait(HOUR), payout).wait(HOUR), payout, outcome)
    payout = last_order(story.wait(HOUR).payout())
    story.order_paid(payout).wait(HOUR).order_failed(payout)
    late = deposit(story.fund(2)).id
    refund = last_order(story.cancel_funding(2).confirm(deposit_id=late))
    story.order_paid(refund).wait(HOUR).order_failed(refund)
    return get_stuck(story.wait(HOUR), refund)


def overtaken_by_the_bank() -> Story:
    """Two refunds of which the client has the money from the bank: one on its way, and a part of one that had failed; what was
    given up of the first comes again."""
    story = active("100.00", "50.00", fees=Fees(client_bps=333, freelancer_bps=1000)).pay(1).wait(HOUR).give_refund(1)
    first = reverse(story.wait(HOUR), deposit(story).id, reversal_id="dp_1").state.orders[last_order(story)]
    reverse(story.wait(HOUR), first.deposit_id or "", reversal_id="dp_1", outcome=LOST)
    overtake(story.wait(HOUR), first.id).wait(HOUR).pay(2).give_refund(2)
    second = last_order(story)
    story.order_failed(second).wait(HOUR)
    reverse(story, deposit(story).id, Money(20_00, "USD"), reversal_id="dp_2", outcome=LOST)
    overtake(story.wait(HOUR), second).order_paid(last_order(story)).wait(HOUR)
    return reverse(story, first.deposit_id or "", reversal_id="dp_1", outcome=WON)


def last_order(story: Story) -> str:
    return list(story.state.orders)[-1]


def held_too_long() -> Story:
    """What the provider may hold no longer: planned again and deposited anew, closed, asked for, argued about, decided."""
    story = Story(terms=Terms(usual_hold_limit=timedelta(days=60)), fees=Fees(client_bps=333, freelancer_bps=1000))
    windows = {"mediation_hours": 10 * 24}
    fund_all(story.propose("30.01", "20.02", "10.03", by=CLIENT, windows=windows)).wait(HOUR).confirm()
    story.accept().wait(timedelta(days=51)).sweep()
    story.pay(1).wait(timedelta(days=2)).pay(2).wait(timedelta(days=48)).sweep()
    story.request_refund(2, amount="5.00").wait(timedelta(days=2)).sweep()
    story.offer("12.00", 2).wait(HOUR).accept_offer("12.00", 2).wait(HOUR)
    story.pay(3).wait(HOUR).submit(3).request_changes(3).wait(timedelta(days=51)).sweep()
    return story.wait(HOUR).decide("4.00", 3)


MONEY_STORIES: Final[dict[str, Callable[[], Story]]] = {
    "funded-proposals": funded_proposals,
    "changed-by-request": changed_by_request,
    "approved-with-less-and-released": approved_with_less_and_more,
    "reversed-to-the-end": taken_back_by_the_bank,
    "unfunded-after-a-reversal": lost_on_a_proposal,
    "what-it-cost": what_it_cost,
    "sent-back-and-taken-back": taken_back_after_it_was_sent_back,
    "money-in-doubt": money_in_doubt,
    "held-too-long": held_too_long,
    "overtaken-by-the-bank": overtaken_by_the_bank,
}
