"""Finds the object of a command in the contract, and refuses what its state doesn't allow.

The part of `escrow.agreement.permit` that differs by what an action is done to. Nothing here asks who acts, but for the
side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from escrow.access import Side
from escrow.agreement.state import ChangeRequest, Contract, Deposit, Dispute, Milestone, Order, RefundRequest
from escrow.causes import Cause
from escrow.codec import camel
from escrow.errors import DomainError, InvalidState, MilestoneLocked, NotFound, OutOfSequence, VersionConflict
from escrow.rules import NAMINGS, Action, Naming, ObjectState, Rule, Subject
from escrow.states import Hold, MilestoneState


@dataclass(frozen=True, slots=True)
class Named:
    """What a command names that is compared with the state before its input is looked at; `None` where it names none.

    An amount that can't be read is named as `None`, too: the input is refused later, in its place.
    """

    revision: int | None = None
    plan_version: int | None = None
    giving_up_minor: int | None = None
    """What the freelancer gives up by ending the contract."""
    settlement_minor: int | None = None
    """The offer that is accepted."""
    is_part: bool = False
    """Whether an amount other than all that is held is named, where all is what goes without one."""
    with_bonus: bool = False
    milestone_ids: tuple[str, ...] = ()
    """The milestones that a change request is about."""


NOTHING_NAMED: Final = Named()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An action, by its row of the table, what it is done to, and the side that would take it."""

    state: Contract
    rule: Rule
    subject_id: str | None
    side: Side | None
    named: Named
    milestone: Milestone | None = None
    """The milestone that it is done to, or that the refund request or the dispute is about."""
    deposit: Deposit | None = None
    order: Order | None = None
    change_request: ChangeRequest | None = None
    refund: RefundRequest | None = None
    dispute: Dispute | None = None

    @classmethod
    def of(cls, state: Contract, rule: Rule, subject_id: str | None, *, side: Side | None, named: Named) -> Case:
        name = subject_id or ""
        refund = state.refunds.get(name) if rule.subject is Subject.REFUND else None
        dispute = state.disputes.get(name) if rule.subject is Subject.DISPUTE else None
        held = refund or dispute
        milestone_id = held.milestone_id if held is not None else name
        return cls(
            state=state,
            rule=rule,
            subject_id=subject_id,
            side=side,
            named=named,
            milestone=state.milestone(milestone_id) if milestone_id else None,
            deposit=state.deposits.get(name) if rule.subject is Subject.DEPOSIT else None,
            order=state.orders.get(name) if rule.subject is Subject.ORDER else None,
            change_request=state.change_requests.get(name) if rule.subject is Subject.CHANGE_REQUEST else None,
            refund=refund,
            dispute=dispute,
        )

    @property
    def needs_enabled_parties(self) -> bool:
        """Whether a disabled party bars it: what the table says, and a bonus."""
        return self.rule.needs_enabled_parties or self.named.with_bonus

    @property
    def author(self) -> Side | None:
        """The side that filed the change request or opened the dispute that it is about."""
        if self.dispute is not None:
            return self.dispute.opened_by
        return self.change_request.filed_by if self.change_request is not None else None

    @property
    def found(self) -> Milestone | Deposit | Order | ChangeRequest | RefundRequest | Dispute | None:
        return {
            Subject.CONTRACT: self.milestone,
            Subject.MILESTONE: self.milestone,
            Subject.DEPOSIT: self.deposit,
            Subject.ORDER: self.order,
            Subject.CHANGE_REQUEST: self.change_request,
            Subject.REFUND: self.refund,
            Subject.DISPUTE: self.dispute,
        }[self.rule.subject]


def object_not_found(case: Case) -> DomainError | None:
    """`NotFound` if the command names something that the contract doesn't have."""
    for milestone_id in case.named.milestone_ids:
        if case.state.milestone(milestone_id) is None:
            return NotFound(f"There is no milestone {milestone_id}.", field="changes")
    optional = case.rule.subject is Subject.CONTRACT and case.subject_id is None
    if optional or case.found is not None:
        return None
    naming = naming_of(case.rule)
    return NotFound(f"There is no {naming.spoken} {case.subject_id}.", field=camel(naming.field))


def naming_of(rule: Rule) -> Naming:
    """How a command names what it is done to. One on the contract may be about one of its milestones (an update)."""
    return NAMINGS[Subject.MILESTONE if rule.subject is Subject.CONTRACT else rule.subject]


def object_state(case: Case) -> DomainError | None:
    """What the state of the object says against the command, its hold and a reversal included."""
    if case.rule.subject is Subject.MILESTONE and case.milestone is not None:
        if is_released_again(case.rule.action, case.milestone):
            return None
        return _milestone_state(case, case.milestone) or _hold(case, case.milestone) or _reversal(case, case.milestone)
    if case.rule.states is None:
        return None
    return (
        _object_state(case, case.rule.states)
        or _of_the_ending(case)
        or _no_offer(case)
        or (_reversal(case, case.milestone) if case.milestone is not None else None)
    )


def is_released_again(action: Action, milestone: Milestone | None) -> bool:
    """A late click: approving what is already released is no error, in any state of the contract."""
    return action is Action.APPROVE and milestone is not None and milestone.state is MilestoneState.RELEASED


def _milestone_state(case: Case, milestone: Milestone) -> DomainError | None:
    rule, details = case.rule, {"milestoneState": milestone.state.value}
    allowed = rule.milestone or frozenset()
    if milestone.state is MilestoneState.FUNDED and _is_before_its_turn(case, milestone, allowed):
        return OutOfSequence(
            "The milestone is FUNDED and waits for its turn.", details=details, cause=Cause.BEFORE_ITS_TURN
        )
    if milestone.state in allowed:
        return None
    if rule.edits_plan:
        return MilestoneLocked(
            f"The milestone is {milestone.state}; only PLANNED ones can be changed.",
            details=details,
            cause=Cause.ONLY_PLANNED,
        )
    needs = sorted(allowed)
    return InvalidState(
        f"The milestone is {milestone.state}; this needs it {' or '.join(needs)}.",
        details={**details, "needs": needs},
        cause=Cause.MILESTONE_STATE,
    )


def _is_before_its_turn(case: Case, milestone: Milestone, allowed: frozenset[MilestoneState]) -> bool:
    if case.rule.edits_plan:
        return False
    # The freelancer disputes what waits for its turn only to answer a refund request.
    answers = milestone.hold is Hold.REFUND_REQUEST
    too_early = case.rule.action is Action.OPEN_DISPUTE and case.side is Side.FREELANCER and not answers
    return MilestoneState.FUNDED not in allowed or too_early


def _hold(case: Case, milestone: Milestone) -> DomainError | None:
    allowed = case.rule.holds
    if case.named.is_part:
        allowed = frozenset({Hold.NONE})
    elif case.rule.action is Action.OPEN_DISPUTE and case.side is Side.FREELANCER:
        allowed = frozenset({Hold.NONE, Hold.REFUND_REQUEST})
    if milestone.hold in allowed:
        return None
    what = "a refund request" if milestone.hold is Hold.REFUND_REQUEST else "a dispute"
    return InvalidState(
        f"The milestone is on hold by {what}.",
        details={"hold": milestone.hold.value, "holdId": milestone.hold_id},
        cause=Cause.ON_HOLD,
    )


def _reversal(case: Case, milestone: Milestone) -> DomainError | None:
    if case.rule.moves_money and milestone.is_frozen:
        return InvalidState(
            "A deposit that the milestone holds was reversed; nothing moves until the operator resolves it.",
            cause=Cause.FROZEN,
        )
    return None


def _object_state(case: Case, allowed: frozenset[ObjectState]) -> DomainError | None:
    found = case.deposit.reversal if case.deposit is not None else getattr(case.found, "state", None)
    if case.order is not None:
        found = case.order.standing
    if found in allowed:
        return None
    if case.order is not None:
        return InvalidState(
            "What became of the payment order is known, or will be: nobody has to say so.", cause=Cause.ORDER_IS_KNOWN
        )
    if found is None:
        return InvalidState("The deposit was not reversed.", cause=Cause.REVERSAL_STATE)
    needs = sorted(allowed)
    return InvalidState(
        f"The {NAMINGS[case.rule.subject].spoken} is {found}; this needs it {' or '.join(needs)}.",
        details={"state": found.value, "needs": needs},
        cause=_OF_STATES[case.rule.subject],
    )


_OF_STATES: Final = {
    Subject.DISPUTE: Cause.DISPUTE_STATE,
    Subject.REFUND: Cause.REFUND_STATE,
    Subject.CHANGE_REQUEST: Cause.CHANGE_REQUEST_STATE,
    Subject.DEPOSIT: Cause.REVERSAL_STATE,
}
"""Why something can't be done to what is in another state."""


def _of_the_ending(case: Case) -> DomainError | None:
    if case.rule.action is Action.WITHDRAW_REFUND and case.refund is not None and case.refund.by_ending:
        return InvalidState(
            "The ending of the contract made this request; it is withdrawn only with the ending.",
            cause=Cause.MADE_BY_ENDING,
        )
    return None


def _no_offer(case: Case) -> DomainError | None:
    if case.dispute is None or case.side is None:
        return None
    if case.rule.action is Action.WITHDRAW_SETTLEMENT and case.dispute.offer_of(case.side) is None:
        return InvalidState("You have made no offer that you could take back.", cause=Cause.NO_OWN_OFFER)
    if case.rule.action is Action.ACCEPT_SETTLEMENT and case.dispute.offer_of(case.side.other) is None:
        return InvalidState("The other side has made no offer that you could accept.", cause=Cause.NO_OFFER)
    return None


def other_settlement(case: Case) -> DomainError | None:
    """`VersionConflict` if the offer that is accepted is not the one on the table."""
    named = case.named.settlement_minor
    if case.rule.action is not Action.ACCEPT_SETTLEMENT or case.dispute is None or case.side is None or named is None:
        return None
    offer = case.dispute.offer_of(case.side.other)
    if offer is None or offer == named:
        return None
    money = case.state.money
    return VersionConflict(
        f"You would accept {money(named)}; the offer is {money(offer)} now.",
        details={"current": money(offer).wire()},
        cause=Cause.OTHER_OFFER,
    )
