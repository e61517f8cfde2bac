"""Decides on deposits: how they start, are given up, and what the provider's answers do, in whatever order they come.

A bonus is a deposit, too: it is asked for and answered in the same way, but passes through no escrow.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from escrow.agreement import events, inputs
from escrow.agreement.commands import (
    CancelFunding,
    ConfirmDeposit,
    EndAction,
    FailDeposit,
    Fund,
    FundContract,
    RequireAction,
)
from escrow.agreement.deadlines import Deadline, hold_limits
from escrow.agreement.decisions import disputes, holdings
from escrow.agreement.history import Decisions, History
from escrow.agreement.permit import last_refusal
from escrow.agreement.state import Contract, Deposit, Milestone, Windows
from escrow.causes import Cause
from escrow.errors import InvalidInput, NotFound
from escrow.ids import Kind
from escrow.money import Money, check_currency, fee
from escrow.states import ContractState, DepositState, MilestoneState

REPORT_MINOR_MAX: Final = 10**18
"""What a report may say at most, in minor units: more is no sum of money but a fault of the provider's."""


def fund(history: History, command: Fund) -> None:
    """`deposit.started`: the price of one milestone and the client's fee on it, as one charge.

    On a proposal it must name the revision that it is for.
    """
    state, milestone = history.state, history.milestone(command.milestone_id)
    _check_input(history, command)
    check_limits(history, _charge(state, (milestone,)))
    if refusal := last_refusal(state, command.action, milestone.id):
        raise refusal
    _start(history, command, (milestone,))


def fund_contract(history: History, command: FundContract) -> None:
    """`deposit.started` for every planned milestone: one charge, which is confirmed or fails as a whole."""
    state = history.state
    _check_input(history, command)
    planned_ones = tuple(one for one in state.milestones if one.state is MilestoneState.PLANNED)
    check_limits(history, _charge(state, planned_ones))
    _start(history, command, planned_ones, is_for_everything=True)


def _check_input(history: History, command: Fund | FundContract) -> None:
    state = history.state
    if command.payment_token is not None:
        payment_token(command.payment_token)
    check_windows(history, state.windows, state.currency)
    if state.state is ContractState.PROPOSED and command.revision is None:
        raise InvalidInput("Name the revision that the deposit is for; the proposal may change.", field="revision")


def payment_token(token: str | None) -> str | None:
    """A name for the client's means of payment, if one is given."""
    if token is None:
        return None
    return inputs.text(token, field="paymentToken", characters_max=inputs.PAYMENT_TOKEN_MAX)


def _start(
    history: History,
    command: Fund | FundContract,
    milestones: tuple[Milestone, ...],
    *,
    is_for_everything: bool | None = None,
) -> None:
    state = history.state
    event = events.DepositStarted(
        deposit_id=command.deposit_id,
        order_id=command.order_id,
        revision=state.revision,
        charge=_charge(state, milestones),
        milestone_ids=tuple(one.id for one in milestones),
        due_at=history.now + timedelta(hours=state.windows.deposit_hours),
        is_for_everything=is_for_everything,
        payment_token=command.payment_token,
    )
    history.add(event)


def check_windows(history: History, windows: Windows, currency: str, *, field: str | None = None) -> None:
    """Refuses with `InvalidInput` windows of which a review, an answer and mediation don't follow each other within the time for
    which the payment provider may hold money."""
    limit = history.around.terms.hold_limit(currency)
    if limit is None:
        return
    answer_hours = max(windows.refund_answer_hours, windows.dispute_answer_hours)
    hours, hours_max = windows.review_hours + answer_hours + windows.mediation_hours, limit // timedelta(hours=1)
    if hours > hours_max:
        raise InvalidInput(
            f"The payment provider may hold money for {hours_max} hours. Review ({windows.review_hours}), the longer answer "
            f"({answer_hours}) and mediation ({windows.mediation_hours}) take {hours} together: agree on at most {hours_max}.",
            field=field,
            details={"hours": hours, "hoursMax": hours_max},
        )


def _charge(state: Contract, milestones: tuple[Milestone, ...]) -> Money:
    return state.money(sum(one.amount_minor + fee(one.amount_minor, state.fees.client_bps) for one in milestones))


def check_limits(history: History, charge: Money, *, field: str | None = None) -> None:
    """Refuses with `InvalidInput` a charge that the payment provider would never take."""
    limits = history.around.terms.limits(charge.currency)
    if limits is None:
        raise InvalidInput(f"The payment provider takes no {charge.currency}.", field=field)
    least, most = Money(limits.minimum_minor, charge.currency), Money(limits.maximum_minor, charge.currency)
    if not least.minor <= charge.minor <= most.minor:
        raise InvalidInput(
            f"The payment provider takes from {least} to {most} at once, not {charge}.",
            field=field,
            details={"minimum": least.wire(), "maximum": most.wire(), "charge": charge.wire()},
            cause=Cause.CHARGE_LIMITS,
        )


def cancel_funding(history: History, command: CancelFunding) -> None:
    """`deposit.abandoned`; the milestone is planned again."""
    milestone = history.milestone(command.milestone_id)
    if milestone.deposit_id is None:
        raise ValueError(f"{milestone.id} is being funded by no deposit")
    abandon(history, milestone.deposit_id, events.AbandonReason.CANCELLED)


def abandon_all(history: History, reason: events.AbandonReason) -> None:
    """`deposit.abandoned` for every deposit on its way; a bonus goes on."""
    for deposit in history.state.deposits.values():
        if deposit.state is DepositState.STARTED and not deposit.is_bonus:
            abandon(history, deposit.id, reason)


def leave_unanswered(history: History, clock: Deadline) -> None:
    """The deposit window passed without an answer: `deposit.abandoned`, or `bonus.failed`. A payer who didn't act in time
    has let the deposit fail."""
    deposit = deposit_of(history, clock.subject_id)
    if deposit.action is not None:
        _fail(history, deposit, events.DepositFailure.ACTION_EXPIRED)
    elif deposit.is_bonus:
        _fail(history, deposit, events.DepositFailure.UNANSWERED)
    else:
        abandon(history, deposit.id, events.AbandonReason.UNANSWERED)


def abandon(history: History, deposit_id: str, reason: events.AbandonReason) -> None:
    """Gives a deposit up; what the provider still confirms will be sent back."""
    history.add(events.DepositAbandoned(deposit_id=deposit_id, reason=reason))


def confirm_deposit(history: History, command: ConfirmDeposit) -> None:
    """Funds what waits for the deposit; any other money is booked and sent back; a repetition does nothing.

    Refuses with `NotFound` a deposit that the contract doesn't know, with `InvalidInput` what is no sum of money.
    """
    deposit = deposit_of(history, command.deposit_id)
    check_currency(command.amount.currency, field="amount.currency")
    if not 0 < command.amount.minor <= REPORT_MINOR_MAX:
        raise InvalidInput(
            f"A confirmed sum is more than zero and at most {REPORT_MINOR_MAX} minor units.", field="amount.amount"
        )
    expected = command.amount == history.money(deposit.charge_minor)
    if expected and deposit.state is DepositState.STARTED:
        _confirm(history, deposit)
    elif not _is_repeated(deposit, command, expected=expected):
        _send_back(history, deposit, command)


def _is_repeated(deposit: Deposit, command: ConfirmDeposit, *, expected: bool) -> bool:
    return (expected and deposit.state is DepositState.CONFIRMED) or command.amount in deposit.returned


def _confirm(history: History, deposit: Deposit) -> None:
    charge = history.money(deposit.charge_minor)
    if deposit.is_bonus:
        history.add(events.BonusPaid(milestone_id=deposit.parts[0].milestone_id, deposit_id=deposit.id, amount=charge))
        return
    hold_until = _may_be_held_until(history)
    history.add(events.DepositConfirmed(deposit_id=deposit.id, charge=charge, hold_until=hold_until))
    for part in deposit.parts:
        event = events.MilestoneFunded(
            milestone_id=part.milestone_id,
            deposit_id=deposit.id,
            amount=history.money(part.amount_minor),
            fee=history.money(part.fee_minor),
        )
        history.add(event)


def _may_be_held_until(history: History) -> datetime | None:
    """So early before the provider's own limit that mediation still has its window; `None` if there is no limit."""
    state = history.state
    limit = history.around.terms.hold_limit(state.currency)
    if limit is None:
        return None
    return history.now + max(limit - timedelta(hours=state.windows.mediation_hours), timedelta(0))


def tell_of_limit(history: History, clock: Deadline) -> None:
    """`deposit.hold_ending`: whoever listens is told, and nothing else changes."""
    if clock.announces is None:
        raise ValueError(f"{clock.kind} of {clock.subject_id} announces nothing")
    milestone = history.milestone(clock.subject_id)
    until = clock.announces.due_at
    event = events.DepositHoldEnding(
        deposit_id=next(lot.deposit_id for lot in milestone.lots if lot.hold_until == until),
        milestone_id=milestone.id,
        hold_until=until,
        action=clock.announces.action,
        in_favour_of=clock.announces.in_favour_of,
        hours_left=clock.hours_left,
    )
    history.add(event)


def end_holding(history: History, clock: Deadline) -> None:
    """Everything whose time ends now goes to mediation or back to the client, the last of the plan first: what is planned again
    has nothing behind it that isn't."""
    for one in reversed(hold_limits(history.state)):
        if one.due_at > clock.due_at:
            continue
        milestone = history.milestone(one.subject_id)
        if one.action == "milestone.unfunded":
            holdings.unfund(history, milestone, by_hold_limit=True)
        elif one.action == "milestone.refunded":
            holdings.refund(history, milestone, events.RefundReason.HOLD_ENDED)
        else:
            disputes.begin_by_limit(history, milestone)


def _send_back(history: History, deposit: Deposit, command: ConfirmDeposit) -> None:
    if deposit.state is DepositState.STARTED:
        _fail(history, deposit, events.DepositFailure.WRONG_AMOUNT)
    event = events.DepositReturned(deposit_id=deposit.id, order_id=history.fresh(Kind.ORDER), amount=command.amount)
    history.add(event)


def require_action(history: History, command: RequireAction) -> None:
    """`deposit.action_required`, while anybody waits for the deposit; the same once more does nothing.

    The payer has until the provider gives up, and never longer than the deposit window.
    """
    deposit = deposit_of(history, command.deposit_id)
    if deposit.state is not DepositState.STARTED:
        return
    due_at = _window_ends(history.state, deposit)
    if command.until is not None:
        due_at = max(min(due_at, command.until), history.now)
    if (deposit.action, deposit.due_at) != (command.kind, due_at):
        history.add(events.DepositActionRequired(deposit_id=deposit.id, kind=command.kind, due_at=due_at))


def end_action(history: History, command: EndAction) -> None:
    """`deposit.action_taken`, if the payer had something to do; the deposit waits for its whole window again."""
    deposit = deposit_of(history, command.deposit_id)
    if deposit.state is DepositState.STARTED and deposit.action is not None:
        due_at = _window_ends(history.state, deposit)
        history.add(events.DepositActionTaken(deposit_id=deposit.id, due_at=due_at))


def _window_ends(state: Contract, deposit: Deposit) -> datetime:
    return deposit.started_at + timedelta(hours=state.windows.deposit_hours)


def fail_deposit(history: History, command: FailDeposit) -> None:
    """`deposit.failed`, if anybody still waits for it; the milestone is planned again."""
    deposit = deposit_of(history, command.deposit_id)
    if deposit.state is DepositState.STARTED:
        _fail(history, deposit, events.DepositFailure.REFUSED, explanation=inputs.explanation(command.reason))


def _fail(history: History, deposit: Deposit, reason: events.DepositFailure, *, explanation: str | None = None) -> None:
    event: events.Event = events.DepositFailed(deposit_id=deposit.id, reason=reason, explanation=explanation)
    if deposit.is_bonus:
        milestone_id = deposit.parts[0].milestone_id
        event = events.BonusFailed(
            milestone_id=milestone_id, deposit_id=deposit.id, reason=reason, explanation=explanation
        )
    history.add(event)


def deposit_of(history: History, deposit_id: str) -> Deposit:
    """The deposit of that id, or `NotFound`."""
    deposit = history.state.deposits.get(deposit_id)
    if deposit is None:
        raise NotFound(f"There is no deposit {deposit_id}.", field="depositId")
    return deposit


DECISIONS: Final[Decisions] = {
    Fund: fund,
    FundContract: fund_contract,
    CancelFunding: cancel_funding,
    ConfirmDeposit: confirm_deposit,
    FailDeposit: fail_deposit,
    RequireAction: require_action,
    EndAction: end_action,
}
