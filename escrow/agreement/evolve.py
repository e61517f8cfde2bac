"""The only way a contract changes: one event folded into the state, money included.

Every version of every event is folded for ever; what an event leaves open (texts that were erased) reads as empty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from escrow.agreement import events
from escrow.agreement.folds import holds
from escrow.agreement.folds.common import milestone_of, with_milestone
from escrow.agreement.postings import is_stored, postings
from escrow.agreement.state import Contract, Deposit, DepositPart, Ending, Milestone, Order, Submission
from escrow.lifecycle import ContractState, DepositState, MilestoneState, OrderKind, OrderState
from escrow.money import fee


def evolve(state: Contract | None, contract_id: str, recorded: events.Recorded) -> Contract:
    """``state`` after ``recorded``. Only ``contract.proposed`` starts from nothing."""
    event, at = recorded.event, recorded.at
    if isinstance(event, events.ContractProposed):
        if state is not None:
            raise ValueError(f"the log of {contract_id} proposes it twice")
        return _proposed(contract_id, event, at)
    if state is None:
        raise ValueError(f"the log of {contract_id} begins with {event.type}, not with contract.proposed")
    changed = _FOLDS[type(event)](state, event, at)
    return replace(
        changed,
        updated_at=at,
        balances=_book(changed.balances, contract_id, event),
        ending=_with_what_went_back(changed.ending, event),
    )


def _with_what_went_back(ending: Ending | None, event: events.Event) -> Ending | None:
    """An ending can't be taken back any more once escrow money went to the client."""
    if ending is None or ending.money_went_back:
        return ending
    if isinstance(event, events.MilestoneSettled):
        went = event.refunded.minor
    elif isinstance(event, (events.MilestoneRefunded, events.MilestonePartlyRefunded)):
        went = event.amount.minor
    else:
        went = 0
    return replace(ending, money_went_back=True) if went else ending


def _book(
    balances: Mapping[tuple[str, str], int], contract_id: str, event: events.Event
) -> Mapping[tuple[str, str], int]:
    moved = postings(contract_id, event)
    if not moved:
        return balances
    booked = dict(balances)
    for posting in moved:
        for account, change in ((posting.debit, -posting.amount.minor), (posting.credit, posting.amount.minor)):
            if is_stored(account):
                key = (account, posting.amount.currency)
                booked[key] = booked.get(key, 0) + change
    return booked


def _proposed(contract_id: str, event: events.ContractProposed, at: datetime) -> Contract:
    return Contract(
        id=contract_id,
        client_id=event.client_id,
        freelancer_id=event.freelancer_id,
        state=ContractState.PROPOSED,
        title=event.title,
        description=event.description,
        currency=event.currency,
        time_zone=event.time_zone,
        budget_minor=event.budget.minor if event.budget else None,
        deposit_term=event.deposit_term,
        revision=event.revision,
        written_by=event.written_by,
        offered_at=at,
        plan_version=event.plan_version,
        windows=event.windows,
        fees=event.fees,
        created_at=at,
        updated_at=at,
    )


def _revised(state: Contract, event: events.ContractRevised, at: datetime) -> Contract:
    return replace(
        state,
        title=event.title,
        description=event.description,
        time_zone=event.time_zone,
        budget_minor=event.budget.minor if event.budget else None,
        deposit_term=event.deposit_term,
        revision=event.revision,
        written_by=event.written_by,
        offered_at=at,
        plan_version=event.plan_version,
        windows=event.windows,
        fees=event.fees,
        milestones=(),
        former={**state.former, **{milestone.id: milestone for milestone in state.milestones}},
    )


def _contract_becomes(to: ContractState) -> Callable[[Contract, Any, datetime], Contract]:
    def fold(state: Contract, event: events.Event, at: datetime) -> Contract:
        return replace(state, state=to)

    return fold


def _in_order(milestones: list[Milestone], at: datetime) -> tuple[Milestone, ...]:
    """Positions as the list gives them; a milestone that stays in its place stays the same object."""
    return tuple(
        milestone if milestone.position == place else replace(milestone, position=place, updated_at=at)
        for place, milestone in enumerate(milestones, start=1)
    )


def _added(state: Contract, event: events.MilestoneAdded, at: datetime) -> Contract:
    milestone = Milestone(
        id=event.milestone_id,
        revision=event.revision,
        position=event.position,
        state=MilestoneState.PLANNED,
        title=event.title,
        purpose=event.purpose,
        deliverables=event.deliverables,
        due_on=event.due_on,
        amount_minor=event.amount.minor,
        updated_at=at,
    )
    milestones = list(state.milestones)
    milestones.insert(event.position - 1, milestone)
    return replace(state, milestones=_in_order(milestones, at), plan_version=event.plan_version)


def _edited(state: Contract, event: events.MilestoneEdited, at: datetime) -> Contract:
    milestone = milestone_of(state, event.milestone_id)
    changed = replace(
        milestone,
        amount_minor=event.amount.minor,
        due_on=event.due_on,
        title=milestone.title if event.title is None else event.title,
        purpose=milestone.purpose if event.purpose is None else event.purpose,
        deliverables=milestone.deliverables if event.deliverables is None else event.deliverables,
        updated_at=at,
    )
    return replace(with_milestone(state, changed), plan_version=event.plan_version)


def _moved(state: Contract, event: events.MilestoneMoved, at: datetime) -> Contract:
    moving = milestone_of(state, event.milestone_id)
    milestones = [milestone for milestone in state.milestones if milestone.id != moving.id]
    milestones.insert(event.position - 1, moving)
    return replace(state, milestones=_in_order(milestones, at), plan_version=event.plan_version)


def _removed(state: Contract, event: events.MilestoneRemoved, at: datetime) -> Contract:
    changed = replace(milestone_of(state, event.milestone_id), state=MilestoneState.CANCELLED, updated_at=at)
    return replace(with_milestone(state, changed), plan_version=event.plan_version)


def _cancelled(state: Contract, event: events.MilestoneCancelled, at: datetime) -> Contract:
    return with_milestone(
        state, replace(milestone_of(state, event.milestone_id), state=MilestoneState.CANCELLED, updated_at=at)
    )


def _funded(state: Contract, event: events.MilestoneFunded, at: datetime) -> Contract:
    milestone = milestone_of(state, event.milestone_id)
    held, held_fee = milestone.held_minor + event.amount.minor, milestone.held_fee_minor + event.fee.minor
    return with_milestone(
        state,
        replace(
            milestone,
            state=MilestoneState.FUNDED,
            reminded_hours=None,
            held_minor=held,
            held_fee_minor=held_fee,
            base_minor=held,
            base_fee_minor=held_fee,
            deposit_id=event.deposit_id,
            updated_at=at,
        ),
    )


def _activated(state: Contract, event: events.MilestoneActivated, at: datetime) -> Contract:
    return with_milestone(
        state, replace(milestone_of(state, event.milestone_id), state=MilestoneState.ACTIVE, updated_at=at)
    )


def _submitted(state: Contract, event: events.MilestoneSubmitted, at: datetime) -> Contract:
    changed = replace(
        milestone_of(state, event.milestone_id),
        state=MilestoneState.SUBMITTED,
        reminded_hours=None,
        submissions=event.number,
        review_due_at=event.review_due_at,
        updated_at=at,
    )
    submission = Submission(
        id=event.submission_id,
        milestone_id=event.milestone_id,
        number=event.number,
        message=event.message,
        links=event.links,
        attachments=event.attachments,
        submitted_at=at,
    )
    return replace(with_milestone(state, changed), submissions={**state.submissions, submission.id: submission})


def _changes_requested(state: Contract, event: events.MilestoneChangesRequested, at: datetime) -> Contract:
    return with_milestone(
        state,
        replace(
            milestone_of(state, event.milestone_id),
            state=MilestoneState.CHANGES_REQUESTED,
            review_due_at=None,
            reminded_hours=None,
            updated_at=at,
        ),
    )


def _released(state: Contract, event: events.MilestoneReleased, at: datetime) -> Contract:
    milestone = milestone_of(state, event.milestone_id)
    return with_milestone(
        state,
        replace(
            milestone,
            state=MilestoneState.RELEASED,
            held_minor=milestone.held_minor - event.amount.minor,
            held_fee_minor=milestone.held_fee_minor - event.client_fee.minor,
            released_minor=milestone.released_minor + event.amount.minor,
            freelancer_fee_minor=milestone.freelancer_fee_minor + event.freelancer_fee.minor,
            client_fee_minor=milestone.client_fee_minor + event.client_fee.minor,
            review_due_at=None,
            reminded_hours=None,
            updated_at=at,
        ),
    )


def _deadline_approaching(state: Contract, event: events.MilestoneDeadlineApproaching, at: datetime) -> Contract:
    """Remembers that it was told, and for which of the running window's announcements; the milestone has not changed."""
    return with_milestone(state, replace(milestone_of(state, event.milestone_id), reminded_hours=event.hours_left))


def _deposit_started(state: Contract, event: events.DepositStarted, at: datetime) -> Contract:
    parts = tuple(_part(state, milestone_id) for milestone_id in event.milestone_ids)
    deposit = Deposit(
        id=event.deposit_id,
        order_id=event.order_id,
        revision=event.revision,
        state=DepositState.STARTED,
        parts=parts,
        started_at=at,
        due_at=event.due_at,
    )
    order = Order(event.order_id, OrderKind.DEPOSIT, OrderState.STARTED, event.charge, deposit.id, event.payment_token)
    for part in parts:
        waiting = replace(
            milestone_of(state, part.milestone_id), state=MilestoneState.FUNDING, deposit_id=deposit.id, updated_at=at
        )
        state = with_milestone(state, waiting)
    return _with_order(_with_deposit(state, deposit), order)


def _part(state: Contract, milestone_id: str) -> DepositPart:
    amount = milestone_of(state, milestone_id).amount_minor
    return DepositPart(milestone_id, amount, fee(amount, state.fees.client_bps))


def _with_deposit(state: Contract, deposit: Deposit) -> Contract:
    return replace(state, deposits={**state.deposits, deposit.id: deposit})


def _with_order(state: Contract, order: Order) -> Contract:
    return replace(state, orders={**state.orders, order.id: order})


def _deposit_confirmed(state: Contract, event: events.DepositConfirmed, at: datetime) -> Contract:
    return _close_deposit(state, event.deposit_id, DepositState.CONFIRMED, OrderState.PAID)


def _deposit_failed(state: Contract, event: events.DepositFailed, at: datetime) -> Contract:
    return _let_go(
        _close_deposit(state, event.deposit_id, DepositState.FAILED, OrderState.FAILED), event.deposit_id, at
    )


def _deposit_abandoned(state: Contract, event: events.DepositAbandoned, at: datetime) -> Contract:
    closed = _close_deposit(state, event.deposit_id, DepositState.ABANDONED, OrderState.ABANDONED)
    return _let_go(closed, event.deposit_id, at)


def _close_deposit(state: Contract, deposit_id: str, to: DepositState, order_to: OrderState) -> Contract:
    deposit = state.deposits[deposit_id]
    order = state.orders[deposit.order_id]
    return _with_order(_with_deposit(state, replace(deposit, state=to)), replace(order, state=order_to))


def _let_go(state: Contract, deposit_id: str, at: datetime) -> Contract:
    """The milestones that waited for this deposit are planned again."""
    for part in state.deposits[deposit_id].parts:
        planned = replace(
            milestone_of(state, part.milestone_id),
            state=MilestoneState.PLANNED,
            deposit_id=None,
            reminded_hours=None,
            updated_at=at,
        )
        state = with_milestone(state, planned)
    return state


def _deposit_returned(state: Contract, event: events.DepositReturned, at: datetime) -> Contract:
    deposit = state.deposits[event.deposit_id]
    order = Order(event.order_id, OrderKind.REFUND, OrderState.STARTED, event.amount, deposit.id)
    return _with_order(_with_deposit(state, replace(deposit, returned=(*deposit.returned, event.amount))), order)


def _payout_started(state: Contract, event: events.PayoutStarted, at: datetime) -> Contract:
    return _with_order(state, Order(event.order_id, OrderKind.PAYOUT, OrderState.STARTED, event.amount))


def _order_becomes(to: OrderState) -> Callable[[Contract, Any, datetime], Contract]:
    def fold(state: Contract, event: Any, at: datetime) -> Contract:
        return _with_order(state, replace(state.orders[event.order_id], state=to))

    return fold


_FOLDS: Final[dict[type[events.Event], Callable[[Contract, Any, datetime], Contract]]] = {
    events.ContractRevised: _revised,
    events.ContractAccepted: _contract_becomes(ContractState.ACTIVE),
    events.ContractDeclined: _contract_becomes(ContractState.DECLINED),
    events.ContractWithdrawn: _contract_becomes(ContractState.WITHDRAWN),
    events.ContractExpired: _contract_becomes(ContractState.EXPIRED),
    events.ContractCompleted: _contract_becomes(ContractState.COMPLETED),
    events.MilestoneAdded: _added,
    events.MilestoneEdited: _edited,
    events.MilestoneMoved: _moved,
    events.MilestoneRemoved: _removed,
    events.MilestoneCancelled: _cancelled,
    events.MilestoneFunded: _funded,
    events.MilestoneActivated: _activated,
    events.MilestoneSubmitted: _submitted,
    events.MilestoneChangesRequested: _changes_requested,
    events.MilestoneReleased: _released,
    events.MilestoneDeadlineApproaching: _deadline_approaching,
    events.DepositStarted: _deposit_started,
    events.DepositConfirmed: _deposit_confirmed,
    events.DepositFailed: _deposit_failed,
    events.DepositAbandoned: _deposit_abandoned,
    events.DepositReturned: _deposit_returned,
    events.RefundPaid: _order_becomes(OrderState.PAID),
    events.RefundFailed: _order_becomes(OrderState.FAILED),
    events.PayoutStarted: _payout_started,
    events.PayoutPaid: _order_becomes(OrderState.PAID),
    events.PayoutFailed: _order_becomes(OrderState.FAILED),
    **holds.FOLDS,
}
