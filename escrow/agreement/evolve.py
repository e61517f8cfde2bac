"""The only way a contract changes: one event folded into the state, money included.

Every version of every event is folded for ever; what an event leaves open (texts that were erased) reads as empty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from escrow.agreement import events
from escrow.agreement.folds import deposits, holdings, holds, milestones, work
from escrow.agreement.postings import is_stored, postings
from escrow.agreement.state import Contract, Ending
from escrow.lifecycle import ContractState


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
        is_dormant=isinstance(event, events.ContractDormant),
    )


def _with_what_went_back(ending: Ending | None, event: events.Event) -> Ending | None:
    """An ending can't be taken back any more once escrow money went to the client."""
    if ending is None or ending.money_went_back:
        return ending
    if isinstance(event, events.MilestoneSettled):
        went = event.refunded.minor
    elif isinstance(event, events.MilestoneRefunded | events.MilestonePartlyRefunded):
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
        all_deposited=False,
        milestones=(),
        former={**state.former, **{milestone.id: milestone for milestone in state.milestones}},
    )


def _contract_becomes(to: ContractState) -> Callable[[Contract, Any, datetime], Contract]:
    def fold(state: Contract, event: events.Event, at: datetime) -> Contract:
        return replace(state, state=to)

    return fold


def _as_it_was(state: Contract, event: events.Event, at: datetime) -> Contract:
    """The operator was told, and nothing else changed."""
    return state


_FOLDS: Final[dict[type[events.Event], Callable[[Contract, Any, datetime], Contract]]] = {
    events.ContractRevised: _revised,
    events.ContractAccepted: _contract_becomes(ContractState.ACTIVE),
    events.ContractDeclined: _contract_becomes(ContractState.DECLINED),
    events.ContractWithdrawn: _contract_becomes(ContractState.WITHDRAWN),
    events.ContractExpired: _contract_becomes(ContractState.EXPIRED),
    events.ContractCompleted: _contract_becomes(ContractState.COMPLETED),
    events.ContractDormant: _as_it_was,
    **milestones.FOLDS,
    **work.FOLDS,
    **holdings.FOLDS,
    **deposits.FOLDS,
    **holds.FOLDS,
}
