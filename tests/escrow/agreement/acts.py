"""More that can be done on the stage: deposits for everything, approvals of other kinds, change requests, reversals, updates.

Each takes a `Story` and gives it back, as the methods of `Story` do. `sound` checks the books of one.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from escrow.access import PROVIDER, Actor
from escrow.agreement import commands as c
from escrow.agreement.postings import is_stored
from escrow.agreement.state import ChangeRequest, Deposit
from escrow.agreement.state.holdings import totals
from escrow.ids import Kind
from escrow.money import Money
from escrow.states import HELD, ActionKind, OrderOutcome, ReversalOutcome
from tests.escrow.agreement.stage import CLIENT, FREELANCER, OPERATOR, Story, folded

WON, WITHDRAWN, LOST = ReversalOutcome.WON, ReversalOutcome.WITHDRAWN, ReversalOutcome.LOST


def fund_all(story: Story, *, revision: int | None = None) -> Story:
    """Starts the deposit for everything that is planned; names the revision on a proposal."""
    if revision is None and story.state.state == "PROPOSED":
        revision = story.state.revision
    command = c.FundContract(
        contract_id=story.id,
        deposit_id=story.fresh(Kind.DEPOSIT),
        order_id=story.fresh(Kind.ORDER),
        revision=revision,
    )
    story.do(command, CLIENT)
    return story


def approve(
    story: Story, position: int = 1, *, amount: str | None = None, bonus: str | None = None, by: Actor = CLIENT
) -> Story:
    command = c.Approve(
        milestone_id=story.milestone(position).id,
        amount=story.maybe(amount),
        bonus=story.maybe(bonus),
        bonus_deposit_id=None if bonus is None else story.fresh(Kind.DEPOSIT),
        bonus_order_id=None if bonus is None else story.fresh(Kind.ORDER),
        payment_token=None if bonus is None else "tok_visa",
    )
    story.do(command, by)
    return story


def file(story: Story, *changes: c.RequestedChange, by: Actor = FREELANCER, message: str = "Please") -> Story:
    command = c.FileChangeRequest(
        contract_id=story.id,
        change_request_id=story.fresh(Kind.CHANGE_REQUEST),
        changes=tuple(changes),
        message=message,
    )
    story.do(command, by)
    return story


def request(story: Story) -> ChangeRequest:
    """The change request that was filed last."""
    return list(story.state.change_requests.values())[-1]


def accept(story: Story, *, by: Actor = CLIENT) -> Story:
    story.do(c.AcceptChangeRequest(change_request_id=request(story).id), by)
    return story


def decline(story: Story, *, by: Actor = CLIENT) -> Story:
    story.do(c.DeclineChangeRequest(change_request_id=request(story).id, message="No"), by)
    return story


def withdraw(story: Story, *, by: Actor = FREELANCER) -> Story:
    story.do(c.WithdrawChangeRequest(change_request_id=request(story).id), by)
    return story


def reverse(
    story: Story,
    deposit_id: str,
    amount: Money | None = None,
    *,
    reversal_id: str = "",
    outcome: ReversalOutcome | None = None,
    evidence_due_at: datetime | None = None,
) -> Story:
    """The provider says that it took back the deposit's charge, or another sum; and how that ended, if it did."""
    known = story.state.deposits.get(deposit_id)
    amount = amount or story.state.money(known.charge_minor if known is not None else 1)
    command = c.ReverseDeposit(
        contract_id=story.id,
        deposit_id=deposit_id,
        amount=amount,
        reason="fraud, they say",
        reference=reversal_id,
        outcome=outcome,
        evidence_due_at=evidence_due_at,
    )
    story.do(command, PROVIDER)
    return story


def book(
    story: Story,
    movement: str,
    *,
    fee: Money | None = None,
    is_fee_returned: bool = False,
    given: Money | None = None,
    got: Money | None = None,
) -> Story:
    """The provider's books tell what a movement cost."""
    command = c.BookCost(
        contract_id=story.id, movement=movement, fee=fee, is_fee_returned=is_fee_returned, given=given, got=got
    )
    story.do(command, PROVIDER)
    return story


def resolve(story: Story, deposit_id: str, outcome: ReversalOutcome, *, by: Actor = OPERATOR) -> Story:
    story.do(c.ResolveReversal(deposit_id=deposit_id, outcome=outcome), by)
    return story


def must_act(story: Story, kind: ActionKind = ActionKind.REDIRECT, *, within: timedelta | None = None) -> Story:
    """The provider waits for the payer of the deposit that was started last."""
    until = None if within is None else story.now + within
    command = c.RequireAction(contract_id=story.id, deposit_id=deposit(story).id, kind=kind, until=until)
    story.do(command, PROVIDER)
    return story


def has_acted(story: Story) -> Story:
    story.do(c.EndAction(contract_id=story.id, deposit_id=deposit(story).id), PROVIDER)
    return story


def get_stuck(story: Story, order_id: str) -> Story:
    story.do(c.MarkStuck(contract_id=story.id, order_id=order_id, reason="who knows"), PROVIDER)
    return story


def overtake(story: Story, order_id: str) -> Story:
    """The refund would be asked for now, and its deposit was lost."""
    deposit_id = story.state.orders[order_id].deposit_id or ""
    story.do(c.OvertakeRefund(contract_id=story.id, order_id=order_id, deposit_id=deposit_id), PROVIDER)
    return story


def find_out(story: Story, order_id: str, outcome: OrderOutcome, *, by: Actor = OPERATOR) -> Story:
    story.do(c.ResolveOrder(order_id=order_id, outcome=outcome, message="I asked the bank"), by)
    return story


def update(story: Story, *, position: int | None = None, by: Actor = FREELANCER, message: str = "Half done") -> Story:
    milestone_id = None if position is None else story.milestone(position).id
    story.do(c.PostUpdate(contract_id=story.id, message=message, milestone_id=milestone_id), by)
    return story


def set_payouts(story: Story, automatic: bool, *, by: Actor = FREELANCER) -> Story:
    story.do(c.SetPayouts(contract_id=story.id, automatic=automatic), by)
    return story


def deposit(story: Story, number: int = -1) -> Deposit:
    """A deposit by the order in which they were started, the last one by default."""
    return list(story.state.deposits.values())[number]


def refund_orders(story: Story) -> list[tuple[str | None, int, str]]:
    """The orders that send money back: of which deposit, how much, and how they stand."""
    return [
        (order.deposit_id, order.amount.minor, order.state.value)
        for order in story.state.orders.values()
        if order.kind.value == "REFUND"
    ]


def sound(story: Story) -> None:
    """The books balance, nothing is negative, milestones hold what they say, and the log alone gives the same."""
    state, books = story.state, story.books()
    sums: Counter[str] = Counter()
    for (account, currency), minor in books.items():
        sums[currency] += minor
        assert minor >= 0 or not is_stored(account), f"{account} is negative"
        assert not is_stored(account) or state.balances.get((account, currency), 0) == minor
    assert not any(sums.values())
    for milestone in (*state.milestones, *state.former.values()):
        held = books[f"escrow:{milestone.id}", state.currency], books[f"fee:{milestone.id}", state.currency]
        assert held == (milestone.held_minor, milestone.held_fee_minor) == totals(milestone.lots)
        assert held[0] == (milestone.amount_minor if milestone.state in HELD else 0)
        assert milestone.state in HELD or held == (0, 0)
    assert folded(story.id, story.log) == state
