"""Decides whether an action may be tried at all: every refusal that doesn't depend on the input, in the order of the law.

The order is that of docs/law.md, section 3: the contract not found; forbidden by the table of roles, a conflict of interest;
version; object not found; the contract's state; the object's state; not your turn; same party; a bar; then, after the input,
what is out of sequence. `allowedActions` is this function mapped over the table of actions.
"""

from __future__ import annotations

from escrow.access import Actor, Side
from escrow.agreement import authorisation, subjects
from escrow.agreement.authorisation import is_disabled
from escrow.agreement.postings import payable_to
from escrow.agreement.state import Contract, DepositTerm, Surroundings
from escrow.agreement.subjects import Case, Named, is_released_again
from escrow.causes import Cause
from escrow.errors import (
    DomainError,
    Forbidden,
    InsufficientFunds,
    InvalidState,
    OutOfSequence,
    SameParty,
    VersionConflict,
)
from escrow.rules import RULES, Action, Subject, Turn
from escrow.states import DisputeState, Hold, MilestoneState


def permit(
    state: Contract, action: Action, subject_id: str | None, *, actor: Actor, around: Surroundings
) -> DomainError | None:
    """The first refusal that no input could avert, or `None`.

    `subject_id` names what the action is done to, by the table's `subject`: nothing for actions on the contract.
    """
    return first_refusal(state, action, subject_id, actor=actor, around=around) or last_refusal(
        state, action, subject_id
    )


def first_refusal(
    state: Contract,
    action: Action,
    subject_id: str | None,
    *,
    actor: Actor,
    around: Surroundings,
    named: Named = subjects.NOTHING_NAMED,
) -> DomainError | None:
    """The refusals that come before the input is looked at."""
    case = Case.of(state, RULES[action], subject_id, side=state.side_of(actor.account_id), named=named)
    return (
        authorisation.refusal(case, actor, around)
        or _version_conflict(case)
        or subjects.object_not_found(case)
        or _contract_state(case, around)
        or subjects.object_state(case)
        or subjects.other_settlement(case)
        or _turn(case)
        or _same_party(case, around)
        or _barred(case, around)
        or _held_too_long(case, around)
        or _unpayable(case, around)
    )


def last_refusal(state: Contract, action: Action, subject_id: str | None) -> DomainError | None:
    """The refusals that come after the input was found good."""
    if action is Action.FUND and subject_id is not None:
        return _funding_sequence(state, subject_id)
    if action is Action.REQUEST_PAYOUT:
        return _nothing_to_pay(state)
    return None


def _version_conflict(case: Case) -> DomainError | None:
    state, named = case.state, case.named
    for what, name, current in (
        ("revision", named.revision, state.revision),
        ("planVersion", named.plan_version, state.plan_version),
    ):
        if name is not None and name != current:
            return VersionConflict(
                f"You named {what} {name}; it is {current} now.",
                details={"named": name, "current": current},
                cause=Cause.OTHER_VERSION,
            )
    given_up = named.giving_up_minor
    if case.side is Side.FREELANCER and given_up is not None and given_up != state.held_minor:
        held = state.money(state.held_minor)
        return VersionConflict(
            f"You would give up {state.money(given_up)}; {held} is held now.",
            details={"current": held.wire()},
            cause=Cause.OTHER_SUM,
        )
    return None


def _contract_state(case: Case, around: Surroundings) -> DomainError | None:
    state, rule = case.state, case.rule
    again = is_released_again(rule.action, case.milestone)
    if not again and rule.contract is not None and state.state not in rule.contract:
        needs = sorted(rule.contract)
        return InvalidState(
            f"The contract is {state.state}; this needs it {' or '.join(needs)}.",
            details={"contractState": state.state.value, "needs": needs},
            cause=Cause.CONTRACT_STATE,
        )
    if not again and (refusal := _ending(case) or _first_deposit(case)):
        return refusal
    if case.needs_enabled_parties and case.side is not None and is_disabled(around, case.side.other):
        return InvalidState("The other party's account is disabled.", cause=Cause.OTHER_ACCOUNT_DISABLED)
    if rule.action in (Action.FUND, Action.FUND_CONTRACT) and not around.disputes_can_be_decided:
        return InvalidState(
            "Nobody can decide disputes in this deployment, so it takes no deposits: the operator must appoint a mediator "
            "or make a key with the scope disputes:decide.",
            cause=Cause.NO_MEDIATOR,
        )
    return None


def _first_deposit(case: Case) -> DomainError | None:
    """What the plan and the terms say against a deposit, whichever milestone it is for."""
    state, action = case.state, case.rule.action
    if action is Action.FUND and state.deposit_term is DepositTerm.ALL and not state.all_deposited:
        return InvalidState(
            "The first deposit covers everything: fund the contract first.", cause=Cause.FUND_EVERYTHING
        )
    if action is not Action.FUND_CONTRACT:
        return None
    states = {milestone.state for milestone in state.milestones}
    if MilestoneState.FUNDING in states:
        return InvalidState("A deposit is on its way; wait for it, or cancel it.", cause=Cause.DEPOSIT_ON_ITS_WAY)
    if MilestoneState.PLANNED not in states:
        return InvalidState("No milestone is PLANNED: there is nothing to fund.", cause=Cause.NOTHING_PLANNED)
    return None


def _ending(case: Case) -> DomainError | None:
    """What being ended, or not being ended, bars."""
    ending, action = case.state.ending, case.rule.action
    if action is Action.WITHDRAW_END:
        if ending is None:
            return InvalidState("Nobody is ending this contract.", cause=Cause.NOT_ENDING)
        if ending.money_went_back:
            return InvalidState(
                "Money went back to you since: the ending can't be taken back any more.", cause=Cause.ENDING_WENT_ON
            )
    if ending is None:
        return None
    if action is Action.END and case.side is Side.CLIENT:
        return InvalidState("You are ending this contract already.", cause=Cause.ENDING_ALREADY)
    if not case.rule.while_ending:
        return InvalidState("The contract is being ended.", cause=Cause.BEING_ENDED)
    return None


def _turn(case: Case) -> DomainError | None:
    rule, side = case.rule, case.side
    if rule.subject is Subject.CONTRACT and rule.turn is not None:
        mine = side is case.state.turn
        if mine == (rule.turn is Turn.OWN):
            return None
        if mine:
            return Forbidden(
                "It is your turn: accept, revise or decline; only the other side can withdraw it.", cause=Cause.OWN_TURN
            )
        theirs = case.state.turn.value
        return Forbidden(
            f"It is the {theirs.lower()}'s turn; you can only withdraw the proposal.",
            details={"side": theirs},
            cause=Cause.OTHERS_TURN,
        )
    author = case.author
    if author is None:
        return None
    turn = rule.turn
    if rule.action is Action.WITHDRAW_DISPUTE and case.dispute is not None and case.dispute.state is DisputeState.OPEN:
        turn = Turn.OWN
    if turn is Turn.OWN and side is not author:
        return Forbidden(
            f"Only the {author.value.lower()} can take this back.",
            details={"side": author.value},
            cause=Cause.ONLY_AUTHOR,
        )
    if turn is Turn.OTHERS and side is author:
        return Forbidden(
            f"This is for the {author.other.value.lower()} to answer.",
            details={"side": author.other.value},
            cause=Cause.FOR_OTHER_SIDE,
        )
    return None


def _same_party(case: Case, around: Surroundings) -> DomainError | None:
    if case.rule.action is Action.ACCEPT and around.share_member:
        return same_party()
    return None


def same_party() -> SameParty:
    return SameParty("Client and freelancer must differ and share no member.")


def _barred(case: Case, around: Surroundings) -> DomainError | None:
    """The side that started a hold which ended with money still held may start no other on that milestone for a while."""
    side, action = case.side, case.rule.action
    if side is None:
        return None
    if action is Action.END and side is Side.CLIENT:
        concerned = [one for one in case.state.milestones if one.is_held and one.hold is Hold.NONE]
    elif action in (Action.REQUEST_REFUND, Action.OPEN_DISPUTE) and case.milestone is not None:
        # Answering a refund request is never barred.
        concerned = [case.milestone] if case.milestone.hold is Hold.NONE else []
    else:
        return None
    until = max((at for one in concerned if (at := one.barred_until(side)) is not None), default=None)
    if until is None or until <= around.now:
        return None
    return InvalidState(
        f"You took back a hold on this money; you may start another from {until:%Y-%m-%d %H:%M:%S} UTC on.",
        details={"barredUntil": until.isoformat()},
        cause=Cause.BARRED,
    )


def _held_too_long(case: Case, around: Surroundings) -> DomainError | None:
    """What may be held no longer is decided or settled: taking the dispute back would leave it where it is."""
    until = case.milestone.hold_until if case.milestone is not None else None
    if case.rule.action is not Action.WITHDRAW_DISPUTE or until is None or until > around.now:
        return None
    return InvalidState(
        "The payment provider may hold this money no longer: settle, or let a mediator decide.",
        details={"holdUntil": until.isoformat()},
        cause=Cause.HELD_TOO_LONG,
    )


def _unpayable(case: Case, around: Surroundings) -> DomainError | None:
    """Where the provider pays only those that it has taken on, nobody else asks for a payout."""
    if case.rule.action is not Action.REQUEST_PAYOUT or not around.terms.needs_payees:
        return None
    payee = around.freelancer
    if payee is None or payee.can_be_paid:
        return None
    waits = f" It waits for {', '.join(payee.missing)}." if payee.missing else ""
    return InvalidState(
        f"The payment provider can't pay the freelancer yet: an owner connects the account (connectPayee).{waits}",
        details={"missing": list(payee.missing)},
        cause=Cause.PAYEE_UNKNOWN,
    )


def _funding_sequence(state: Contract, milestone_id: str) -> DomainError | None:
    for milestone in state.milestones:
        if milestone.state in (MilestoneState.FUNDING, MilestoneState.FUNDED):
            reason = f"Milestone {milestone.position} is {milestone.state}; wait until its work is under way."
            details = {"milestoneId": milestone.id, "position": milestone.position}
            return OutOfSequence(reason, details=details, cause=Cause.OTHER_UNDER_WAY)
        if milestone.state is MilestoneState.PLANNED:
            if milestone.id == milestone_id:
                return None
            return OutOfSequence(
                f"Milestone {milestone.position} must be funded first.",
                details={"milestoneId": milestone.id, "position": milestone.position},
                cause=Cause.OTHER_FIRST,
            )
    return None


def _nothing_to_pay(state: Contract) -> DomainError | None:
    if state.balances.get((payable_to(state.id, Side.FREELANCER), state.currency), 0) > 0:
        return None
    return InsufficientFunds("Nothing is payable to the freelancer of this contract.", cause=Cause.NOTHING_PAYABLE)
