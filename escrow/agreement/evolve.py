"""Folds one event into the state, the only way a contract changes; the tables are a projection of what comes of it.

Every version of every event is folded for ever; what an event leaves open (texts that were erased) reads as empty.
"""

from __future__ import annotations

from collections.abc import Mapping

from escrow.agreement import events
from escrow.agreement.folds import FOLDS
from escrow.agreement.folds.contracts import proposed
from escrow.agreement.postings import is_stored, postings
from escrow.agreement.state import Contract, Ending
from escrow.values import replace


def evolve(state: Contract | None, contract_id: str, recorded: events.Recorded) -> Contract:
    """`state` after `recorded`. Only `contract.proposed` starts from nothing."""
    event, at = recorded.event, recorded.at
    if isinstance(event, events.ContractProposed):
        if state is not None:
            raise ValueError(f"the log of {contract_id} proposes it twice")
        return proposed(contract_id, event, at)
    if state is None:
        raise ValueError(f"the log of {contract_id} begins with {event.type}, not with contract.proposed")
    changed = FOLDS[type(event)](state, event, at)
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
