"""What must hold of a contract after every step, whatever happened: docs/law.md, section 6, and the plan's own order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Final

from escrow.access import CLOCK, Actor, Side
from escrow.agreement import commands as c
from escrow.agreement import events as e
from escrow.agreement.deadlines import UNSEEN, DeadlineKind, deadlines
from escrow.agreement.events import Recorded
from escrow.agreement.evolve import evolve
from escrow.agreement.postings import PLATFORM_PREFIXES, postings
from escrow.agreement.state import Contract, Surroundings
from escrow.agreement.step import step
from escrow.ids import Fresh, Kind
from escrow.money import RawMoney
from escrow.states import DepositState, OrderKind, OrderState, ReversalOutcome
from tests.escrow.agreement.facts import CLOSED, HOLDING, OPEN_AND_LOCKED
from tests.escrow.agreement.stage import CLIENT, FREELANCER, OPERATOR, counted, party

UNDER_WAY = ("ACTIVE", "SUBMITTED", "CHANGES_REQUESTED")


class Books:
    """The ledger as the events give it, platform accounts included, and what ever came into and left each account."""

    def __init__(self) -> None:
        self.balances: Counter[tuple[str, str]] = Counter()
        self.came: Counter[str] = Counter()
        self.left: Counter[str] = Counter()

    def book(self, contract_id: str, recorded: Recorded) -> None:
        for posting in postings(contract_id, recorded.event):
            minor, currency = posting.amount.minor, posting.amount.currency
            assert minor > 0, "legs of zero are not written, and none is negative"
            assert posting.debit != posting.credit
            self.balances[posting.debit, currency] -= minor
            self.balances[posting.credit, currency] += minor
            self.left[posting.debit] += minor
            self.came[posting.credit] += minor

    def check(self, state: Contract) -> None:
        sums: Counter[str] = Counter()
        for (account, currency), minor in self.balances.items():
            sums[currency] += minor
            stored = not account.startswith(PLATFORM_PREFIXES)
            assert not stored or minor >= 0, f"{account} is negative"
            if stored:
                assert state.balances.get((account, currency), 0) == minor
        assert not any(sums.values()), f"the sum over all accounts is {dict(sums)}"
        assert set(state.balances) <= set(self.balances)
        for milestone in (*state.milestones, *state.former.values()):
            escrow = self.balances[f"escrow:{milestone.id}", state.currency]
            held_fee = self.balances[f"fee:{milestone.id}", state.currency]
            assert (escrow, held_fee) == (milestone.held_minor, milestone.held_fee_minor)
            wanted = milestone.amount_minor if milestone.state.value in HOLDING else 0
            assert escrow == wanted, f"a {milestone.state} milestone of {milestone.amount_minor} holds {escrow}"
            assert held_fee == 0 or milestone.state.value in HOLDING
            share = -(-milestone.base_fee_minor * escrow // milestone.base_minor) if milestone.base_minor else 0
            assert held_fee == share, "the fee beside what is held is its share of the fee that was put in, rounded up"
            left = self.left[f"escrow:{milestone.id}"]
            assert self.came[f"escrow:{milestone.id}"] == escrow + left, "each minor unit leaves once"
            ways = (milestone.released_minor, milestone.refunded_minor, milestone.rolled_minor, milestone.lost_minor)
            assert left == sum(ways)


def check_plan(state: Contract) -> None:
    """At most one milestone is under way, and it is the first open one; nothing planned stands before what is not."""
    assert [milestone.position for milestone in state.milestones] == list(range(1, len(state.milestones) + 1))
    open_ones = [milestone for milestone in state.milestones if milestone.state.value not in CLOSED]
    assert all(milestone.state.value not in UNDER_WAY for milestone in open_ones[1:])
    seen_planned = False
    for milestone in open_ones:
        assert not (seen_planned and milestone.state.value in OPEN_AND_LOCKED)
        seen_planned = seen_planned or milestone.state.value == "PLANNED"
    if state.state.value == "ACTIVE":
        waits = open_ones and open_ones[0].state.value == "FUNDED"
        barred = waits and (open_ones[0].hold != "NONE" or open_ones[0].is_frozen or state.ending is not None)
        assert not waits or barred, "its turn came"
    elif state.state.value == "PROPOSED":
        assert all(milestone.state.value in ("PLANNED", "FUNDING", "FUNDED") for milestone in state.milestones)
    else:
        assert all(milestone.state.value in CLOSED or not milestone.held_minor for milestone in state.milestones)
    for milestone in state.milestones:
        assert milestone.hold == "NONE" or (milestone.held_minor and state.state.value == "ACTIVE")
    if state.state.value == "COMPLETED":
        assert not open_ones


def check_deposits(state: Contract) -> None:
    """A deposit, its order and the milestone that waits for it agree; each milestone in FUNDING waits for one."""
    for deposit in state.deposits.values():
        order = state.orders[deposit.order_id]
        assert (order.kind, order.amount) == (OrderKind.DEPOSIT, state.money(deposit.charge_minor))
        assert (order.state is OrderState.STARTED) == (deposit.state is DepositState.STARTED)
        for part in deposit.parts:
            milestone = state.milestone(part.milestone_id)
            assert milestone is not None
            if deposit.is_bonus:
                on_its_way_or_paid = deposit.state in (DepositState.STARTED, DepositState.CONFIRMED)
                assert (milestone.bonus_deposit_id == deposit.id) == on_its_way_or_paid
                continue
            waits = milestone.state.value == "FUNDING" and milestone.deposit_id == deposit.id
            assert waits == (deposit.state is DepositState.STARTED)
        assert 0 <= deposit.outstanding_minor <= deposit.came_minor, "no more is out than ever came"
        assert 0 <= deposit.restored_minor <= deposit.forfeited_minor <= deposit.came_minor
        assert deposit.action is None or deposit.state is DepositState.STARTED
    for milestone in state.milestones:
        assert milestone.state.value != "FUNDING" or milestone.deposit_id is not None
    in_transit = Counter[str]()
    for order in state.orders.values():
        if order.kind is not OrderKind.DEPOSIT and order.state is OrderState.STARTED:
            in_transit[order.amount.currency] += order.amount.minor
    for (account, currency), minor in state.balances.items():
        if account.startswith("transit:"):
            assert in_transit[currency] == minor, "what is in transit is what open orders carry"


def check_times(before: Contract | None, recorded: Iterable[Recorded], around: Surroundings) -> None:
    """Events never go back in time nor ahead of it, and what a deadline did happened exactly when it was due."""
    last = around.now if before is None else before.updated_at
    state = before
    for fact in recorded:
        assert last <= fact.at <= around.now
        last = fact.at
        if fact.actor is not CLOCK:
            assert fact.at == around.now
        # A deadline before may have moved this one: a hold that ended lets a review go on.
        before, state = state, evolve(state, state.id if state is not None else "", fact)
        if before is None:
            continue
        match fact.event:
            case e.MilestoneDeadlineApproaching(deadline_at=deadline_at, hours_left=hours_left):
                assert fact.at == deadline_at - timedelta(hours=hours_left)
                assert around.now < deadline_at, "nobody is told after the fact"
            case e.ContractExpired():
                assert fact.at == before.offered_at + timedelta(hours=before.windows.offer_hours)
            case e.DepositAbandoned(reason=e.AbandonReason.UNANSWERED, deposit_id=deposit_id):
                assert fact.at == before.deposits[deposit_id].due_at
            case e.MilestoneReleased(reason=e.ReleaseReason.AUTO_RELEASED, milestone_id=milestone_id):
                milestone = before.milestone(milestone_id)
                assert milestone is None or milestone.review_due_at is None or fact.at == milestone.review_due_at
            case _:
                pass


CLOSING: Final = {
    "RELEASED": ("milestone.released",),
    "REFUNDED": ("milestone.refunded",),
    "SETTLED": ("milestone.settled",),
    "CANCELLED": ("milestone.cancelled", "milestone.removed"),
    "PLANNED": ("milestone.unfunded",),
}
"""The events by which a milestone comes to a closed state, or loses all that it held and is planned again."""


def check_facts(before: Contract | None, recorded: Iterable[Recorded]) -> None:
    """A mirror that goes by the types of events is right: each way out of money, and each end, has an event of its own."""
    state = before
    for fact in recorded:
        assert fact.event.type != "milestone.partly_released", "no longer written"
        before, state = state, evolve(state, state.id if state is not None else "", fact)
        _check_order(before, fact)
        for old in before.milestones if before is not None else ():
            new = state.milestone(old.id)
            assert new is not None
            emptied = new.state.value == "PLANNED" and old.held_minor > 0
            if new.state is not old.state and (new.state.value in CLOSED or emptied):
                assert fact.event.type in CLOSING[new.state.value]
                assert getattr(fact.event, "milestone_id") == old.id  # noqa: B009 - the union has no common base


def _check_order(before: Contract | None, fact: Recorded) -> None:
    """What is told of an order says how it stood: paid after a failure, failed after it was paid, stuck and resolved once."""
    order = before.orders.get(getattr(fact.event, "order_id", None) or "") if before is not None else None
    if order is None:
        return
    match fact.event:
        case e.RefundPaid() | e.PayoutPaid() as paid:
            assert order.state is not OrderState.PAID
            assert paid.after_failure == (order.state is not OrderState.STARTED)
            assert 0 <= paid.shortfall.minor <= (order.amount.minor if paid.after_failure else 0)
        case e.RefundFailed() | e.PayoutFailed() as failed:
            assert order.state is not OrderState.FAILED
            assert bool(failed.after_payment) == (order.state is OrderState.PAID)
        case e.RefundOvertaken():
            assert order.state in (OrderState.STARTED, OrderState.FAILED)
            assert not order.is_stuck
        case e.OrderStuck() | e.OrderResolved():
            assert order.is_stuck == isinstance(fact.event, e.OrderResolved)
        case _:
            pass


def way_out(state: Contract, around: Surroundings, side: Side) -> bool:
    """Whether this side, the clock and the provider alone can bring about that no escrow is held any more."""
    fresh = counted()
    seen: set[tuple[str, ...]] = set()
    frontier = [(state, around)]
    while frontier:
        here, world = frontier.pop()
        if not any(milestone.held_minor for milestone in here.milestones):
            return True
        signature = (
            *(f"{one.state} {one.hold} {one.is_frozen} {one.held_minor}" for one in here.milestones),
            *(one.state.value for one in here.disputes.values() if one.is_undecided),
            str(here.ending is not None),
            str(sum(one.state is DepositState.STARTED for one in here.deposits.values())),
        )
        if signature in seen:
            continue
        seen.add(signature)
        clocks = [clock for clock in deadlines(here) if clock.kind not in (*UNSEEN, DeadlineKind.MEDIATION)]
        if clocks:
            later = replace(world, now=max(world.now, clocks[0].due_at))
            done = step(here, c.ApplyDeadlines(contract_id=here.id), actor=CLOCK, around=later, fresh=fresh)
            assert done.after is not None
            frontier.append((done.after, later))
        for command, actor in _moves(here, side, fresh):
            done = step(here, command, actor=actor, around=world, fresh=fresh)
            if done.refusal is None and done.after is not None:
                frontier.append((done.after, world))
    return False


def _moves(state: Contract, side: Side, fresh: Fresh) -> Iterable[tuple[c.Command, Actor]]:
    """What this side can do about its money, and what the mediator and the operator owe it."""
    for milestone in state.milestones:
        if side is Side.CLIENT:
            yield c.Approve(milestone_id=milestone.id), CLIENT
        else:
            yield c.Submit(milestone_id=milestone.id, submission_id=fresh(Kind.SUBMISSION), message="Done"), FREELANCER
        dispute_id, claim = fresh(Kind.DISPUTE), RawMoney(Decimal(0), state.currency)
        yield c.OpenDispute(milestone_id=milestone.id, dispute_id=dispute_id, claim=claim, reason="So"), party(side)
    for dispute in state.disputes.values():
        share = RawMoney(Decimal(0), state.currency)
        yield c.DecideDispute(dispute_id=dispute.id, to_freelancer=share, reason="So be it"), OPERATOR
    for deposit in state.deposits.values():
        yield c.ResolveReversal(deposit_id=deposit.id, outcome=ReversalOutcome.LOST), OPERATOR
