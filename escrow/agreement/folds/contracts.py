"""Folds events about a contract as a whole: its terms, its revisions and its state."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from escrow.agreement import events
from escrow.agreement.folds.base import Folds, as_it_was
from escrow.agreement.state import Contract
from escrow.states import ContractState
from escrow.values import replace


def _offer(event: events.ContractProposed | events.ContractRevised, at: datetime) -> dict[str, Any]:
    """What a revision says of the contract, the first as well as a later one."""
    return {
        "title": event.title,
        "description": event.description,
        "time_zone": event.time_zone,
        "budget_minor": event.budget.minor if event.budget else None,
        "deposit_term": event.deposit_term,
        "revision": event.revision,
        "written_by": event.written_by,
        "offered_at": at,
        "plan_version": event.plan_version,
        "windows": event.windows,
        "fees": event.fees,
    }


def proposed(contract_id: str, event: events.ContractProposed, at: datetime) -> Contract:
    return Contract(
        id=contract_id,
        client_id=event.client_id,
        freelancer_id=event.freelancer_id,
        state=ContractState.PROPOSED,
        currency=event.currency,
        created_at=at,
        updated_at=at,
        **_offer(event, at),
    )


def _revised(state: Contract, event: events.ContractRevised, at: datetime) -> Contract:
    return replace(
        state,
        **_offer(event, at),
        all_deposited=False,
        milestones=(),
        former={**state.former, **{milestone.id: milestone for milestone in state.milestones}},
    )


def _contract_becomes(to: ContractState) -> Callable[[Contract, Any, datetime], Contract]:
    def fold(state: Contract, event: events.Event, at: datetime) -> Contract:
        return replace(state, state=to)

    return fold


FOLDS: Final[Folds] = {
    events.ContractRevised: _revised,
    events.ContractAccepted: _contract_becomes(ContractState.ACTIVE),
    events.ContractDeclined: _contract_becomes(ContractState.DECLINED),
    events.ContractWithdrawn: _contract_becomes(ContractState.WITHDRAWN),
    events.ContractExpired: _contract_becomes(ContractState.EXPIRED),
    events.ContractCompleted: _contract_becomes(ContractState.COMPLETED),
    events.ContractDormant: as_it_was,
}
