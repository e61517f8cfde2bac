"""Adds what follows from every command, report and deadline: an ending goes on, a turn comes, the contract completes."""

from __future__ import annotations

from escrow.agreement.decisions import change_requests, endings, payouts
from escrow.agreement.events import ContractCompleted, MilestoneActivated
from escrow.agreement.history import History
from escrow.agreement.state import Contract
from escrow.states import ContractState, Hold, MilestoneState


def follow_up(history: History) -> None:
    """Adds what follows from what was just decided. Only ending leads to `ENDED`, and it wins over `COMPLETED`."""
    if history.state.state is ContractState.ACTIVE:
        _go_on(history)
    if history.state.state is not ContractState.ACTIVE:
        change_requests.close_all(history)
    payouts.pay_out_by_itself(history)


def _go_on(history: History) -> None:
    state = history.state
    if state.ending is not None:
        endings.go_on(history, state.ending)
    elif state.current is None:
        _complete(history, state)
    elif _may_begin(state):
        history.add(MilestoneActivated(milestone_id=state.current.id))


def _complete(history: History, state: Contract) -> None:
    """`contract.completed` if the freelancer was paid anything; else it stays active, for another milestone or an end."""
    released = sum(milestone.released_minor for milestone in state.milestones)
    if released:
        history.add(ContractCompleted(released=state.money(released)))


def _may_begin(state: Contract) -> bool:
    """Whether it is the turn of the first milestone that is not closed."""
    current = state.current
    return (
        current is not None
        and current.state is MilestoneState.FUNDED
        and current.hold is Hold.NONE
        and not current.is_frozen
    )
