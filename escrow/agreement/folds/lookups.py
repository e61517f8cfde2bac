"""Looks things up in a contract and puts them back changed, for every fold."""

from __future__ import annotations

from escrow.agreement.state import Contract, Dispute, Milestone, RefundRequest
from escrow.values import replace


def milestone_of(state: Contract, milestone_id: str) -> Milestone:
    """The milestone that an event speaks of."""
    milestone = state.milestone(milestone_id)
    if milestone is None:
        raise ValueError(f"the log of {state.id} speaks of {milestone_id} before it was added")
    return milestone


def with_milestone(state: Contract, changed: Milestone) -> Contract:
    """`state` with one milestone replaced in its place."""
    return replace(
        state,
        milestones=tuple(changed if milestone.id == changed.id else milestone for milestone in state.milestones),
    )


def with_refund(state: Contract, refund: RefundRequest) -> Contract:
    return replace(state, refunds={**state.refunds, refund.id: refund})


def with_dispute(state: Contract, dispute: Dispute) -> Contract:
    return replace(state, disputes={**state.disputes, dispute.id: dispute})
