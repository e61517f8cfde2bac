"""Decides on ending a contract early: the client asks back what is held, the freelancer gives it up.

Once nothing is held any more, what was planned is cancelled and the contract has ended.
"""

from __future__ import annotations

from typing import Final

from escrow.access import Side
from escrow.agreement import events, inputs
from escrow.agreement.commands import End, WithdrawEnd
from escrow.agreement.decisions import deposits, disputes, holdings, refunds
from escrow.agreement.history import Decisions, History
from escrow.agreement.state import Ending
from escrow.causes import Cause
from escrow.errors import InvalidInput
from escrow.ids import Kind
from escrow.money import exact
from escrow.states import Hold, MilestoneState


def end(history: History, command: End) -> None:
    """`contract.end_requested`: deposits on their way are abandoned; a freelancer's ending gives back all that is held."""
    state = history.state
    side = history.side
    message = inputs.message(command.message)
    _check_sum(history, command, side)
    history.add(events.ContractEndRequested(requested_by=side, held=state.money(state.held_minor), message=message))
    deposits.abandon_all(history, events.AbandonReason.ENDED)
    if side is Side.FREELANCER:
        _give_up(history)


def _check_sum(history: History, command: End, side: Side) -> None:
    """What is given up was compared with what is held already; here it is only looked at whether it is a sum."""
    if side is Side.CLIENT and command.giving_up is not None:
        raise InvalidInput("Only the freelancer gives something up by ending the contract.", field="givingUp")
    if side is Side.FREELANCER and command.giving_up is None:
        held = history.money(history.state.held_minor)
        raise InvalidInput(
            f"Name the sum that you give up: {held} is held.",
            field="givingUp",
            details={"held": held.wire()},
            cause=Cause.NAME_THE_SUM,
        )
    if command.giving_up is not None:
        exact(command.giving_up, currency=history.state.currency, field="givingUp", or_nothing=True)


def _give_up(history: History) -> None:
    for milestone in history.state.milestones:
        if milestone.is_held:
            disputes.concede(history, milestone, 0, events.DisputeOutcome.ENDED)
            holdings.refund(history, milestone, events.RefundReason.ENDED)


def withdraw_end(history: History, command: WithdrawEnd) -> None:
    """`contract.end_withdrawn`, and with it the refund requests that the ending made."""
    history.add(events.ContractEndWithdrawn(message=inputs.message(command.message)))
    for milestone in history.state.milestones:
        refund = history.state.open_refund(milestone)
        if refund is not None and refund.by_ending:
            refunds.take_back(history, refund)


def go_on(history: History, ending: Ending) -> None:
    """What an ending brings about after everything that happens: what is held without a hold is asked back, whatever the
    bars; and when nothing is held any more, `contract.ended`."""
    if not history.state.holds_money:
        _finish(history, ending)
        return
    for milestone in history.state.milestones:
        if milestone.is_held and milestone.hold is Hold.NONE:
            refund_id = history.fresh(Kind.REFUND_REQUEST)
            refunds.ask(history, milestone, refund_id, milestone.held_minor, by_ending=True)


def _finish(history: History, ending: Ending) -> None:
    for milestone in history.state.milestones:
        if milestone.state is MilestoneState.PLANNED:
            history.add(events.MilestoneCancelled(milestone_id=milestone.id))
    state = history.state
    event = events.ContractEnded(
        requested_by=ending.by,
        released=state.money(sum(milestone.released_minor for milestone in state.milestones)),
        refunded=state.money(sum(milestone.refunded_minor for milestone in state.milestones)),
    )
    history.add(event)


DECISIONS: Final[Decisions] = {
    End: end,
    WithdrawEnd: withdraw_end,
}
