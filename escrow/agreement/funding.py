"""Deposits: how they start, are given up, and what the provider's answers do, in whatever order they come."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from escrow.agreement import inputs
from escrow.agreement.commands import CancelFunding, ConfirmDeposit, FailDeposit, Fund
from escrow.agreement.events import (
    AbandonReason,
    DepositAbandoned,
    DepositConfirmed,
    DepositFailed,
    DepositFailure,
    DepositReturned,
    DepositStarted,
    MilestoneFunded,
)
from escrow.agreement.history import Desk, History
from escrow.agreement.permit import last_refusal
from escrow.agreement.plan import planned
from escrow.agreement.state import Deposit
from escrow.errors import InvalidInput, NotFound
from escrow.ids import Kind
from escrow.lifecycle import DepositState
from escrow.money import check_currency, fee

REPORT_MINOR_MAX: Final = 10**18
"""What a report may say at most, in minor units: more is no sum of money but a fault of the provider's."""


def fund(history: History, command: Fund, desk: Desk) -> None:
    """``deposit.started``: the price of one milestone and the client's fee on it, as one charge."""
    state, milestone = history.state, planned(history, command.milestone_id)
    token = command.payment_token
    if token is not None:
        inputs.text(token, field="paymentToken", characters_max=inputs.PAYMENT_TOKEN_MAX)
    if refusal := last_refusal(state, command.action, milestone.id):
        raise refusal
    charge = milestone.amount_minor + fee(milestone.amount_minor, state.fees.client_bps)
    event = DepositStarted(
        deposit_id=command.deposit_id,
        order_id=command.order_id,
        revision=state.revision,
        charge=state.money(charge),
        milestone_ids=(milestone.id,),
        due_at=desk.now + timedelta(hours=state.windows.deposit_hours),
        payment_token=token,
    )
    history.add(event, at=desk.now, by=desk.actor)


def cancel_funding(history: History, command: CancelFunding, desk: Desk) -> None:
    """``deposit.abandoned``; the milestone is planned again."""
    milestone = planned(history, command.milestone_id)
    if milestone.deposit_id is None:
        raise ValueError(f"{milestone.id} is being funded by no deposit")
    abandon(history, milestone.deposit_id, AbandonReason.CANCELLED, desk)


def abandon(history: History, deposit_id: str, reason: AbandonReason, desk: Desk) -> None:
    """Gives a deposit up; what the provider still confirms will be sent back."""
    history.add(DepositAbandoned(deposit_id=deposit_id, reason=reason), at=desk.now, by=desk.actor)


def confirm_deposit(history: History, command: ConfirmDeposit, desk: Desk) -> None:
    """Funds what waits for the deposit; any other money is booked and sent back; a repetition does nothing.

    Refuses with ``NotFound`` a deposit that the contract doesn't know, with ``InvalidInput`` what is no sum of money.
    """
    deposit = _deposit(history, command.deposit_id)
    check_currency(command.amount.currency, field="amount.currency")
    if not 0 < command.amount.minor <= REPORT_MINOR_MAX:
        raise InvalidInput(
            f"A confirmed sum is more than zero and at most {REPORT_MINOR_MAX} minor units.", field="amount.amount"
        )
    expected = command.amount == history.money(deposit.charge_minor)
    if expected and deposit.state is DepositState.STARTED:
        _confirm(history, deposit, desk)
    elif not _is_repeated(deposit, command, expected=expected):
        _send_back(history, deposit, command, desk)


def _is_repeated(deposit: Deposit, command: ConfirmDeposit, *, expected: bool) -> bool:
    return (expected and deposit.state is DepositState.CONFIRMED) or command.amount in deposit.returned


def _confirm(history: History, deposit: Deposit, desk: Desk) -> None:
    charge = history.money(deposit.charge_minor)
    history.add(DepositConfirmed(deposit_id=deposit.id, charge=charge), at=desk.now, by=desk.actor)
    for part in deposit.parts:
        event = MilestoneFunded(
            milestone_id=part.milestone_id,
            deposit_id=deposit.id,
            amount=history.money(part.amount_minor),
            fee=history.money(part.fee_minor),
        )
        history.add(event, at=desk.now, by=desk.actor)


def _send_back(history: History, deposit: Deposit, command: ConfirmDeposit, desk: Desk) -> None:
    if deposit.state is DepositState.STARTED:
        failed = DepositFailed(deposit_id=deposit.id, reason=DepositFailure.WRONG_AMOUNT)
        history.add(failed, at=desk.now, by=desk.actor)
    event = DepositReturned(deposit_id=deposit.id, order_id=desk.fresh(Kind.ORDER), amount=command.amount)
    history.add(event, at=desk.now, by=desk.actor)


def fail_deposit(history: History, command: FailDeposit, desk: Desk) -> None:
    """``deposit.failed``, if anybody still waits for it; the milestone is planned again."""
    deposit = _deposit(history, command.deposit_id)
    if deposit.state is DepositState.STARTED:
        event = DepositFailed(
            deposit_id=deposit.id, reason=DepositFailure.REFUSED, explanation=inputs.explanation(command.reason)
        )
        history.add(event, at=desk.now, by=desk.actor)


def _deposit(history: History, deposit_id: str) -> Deposit:
    deposit = history.state.deposits.get(deposit_id)
    if deposit is None:
        raise NotFound(f"There is no deposit {deposit_id}.", field="depositId")
    return deposit
