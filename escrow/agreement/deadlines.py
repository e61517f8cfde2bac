"""Which clocks run on a contract, when they ring, and what silence then does (section 4 of the domain)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from escrow.access import Side
from escrow.agreement.state import Contract
from escrow.lifecycle import ContractState, DepositState, MilestoneState


class DeadlineKind(StrEnum):
    """The clocks, in the order that decides between two that ring at the same instant."""

    OFFER = "OFFER"
    DEPOSIT = "DEPOSIT"
    REVIEW = "REVIEW"


@dataclass(frozen=True, slots=True)
class Deadline:
    """One running clock: ``action`` is the type of the event that will happen at ``due_at``, in domain time.

    ``subject_id`` names the contract, the deposit or the milestone; ``milestone_ids`` the milestones that wait for it.
    """

    kind: DeadlineKind
    subject_id: str
    due_at: datetime
    position: int
    action: str
    in_favour_of: Side | None
    milestone_ids: tuple[str, ...] = ()


_RANK = {kind: rank for rank, kind in enumerate(DeadlineKind)}


def deadlines(state: Contract) -> tuple[Deadline, ...]:
    """Every running clock of the contract in the order in which they will be applied."""
    return tuple(sorted(_running(state), key=lambda clock: (clock.due_at, _RANK[clock.kind], clock.position)))


def next_deadline(state: Contract, milestone_id: str | None = None) -> Deadline | None:
    """The first clock that will ring, of the whole contract or of what one milestone waits for."""
    clocks = deadlines(state)
    if milestone_id is not None:
        clocks = tuple(clock for clock in clocks if milestone_id in clock.milestone_ids)
    return clocks[0] if clocks else None


def _running(state: Contract) -> Iterator[Deadline]:
    if state.state is ContractState.PROPOSED:
        due_at = state.offered_at + timedelta(hours=state.windows.offer_hours)
        yield Deadline(DeadlineKind.OFFER, state.id, due_at, 0, "contract.expired", None)
    positions = {milestone.id: milestone.position for milestone in state.milestones}
    for deposit in state.deposits.values():
        if deposit.state is DepositState.STARTED:
            waiting = tuple(part.milestone_id for part in deposit.parts)
            position = min(positions[milestone_id] for milestone_id in waiting)
            yield Deadline(
                DeadlineKind.DEPOSIT, deposit.id, deposit.due_at, position, "deposit.abandoned", None, waiting
            )
    for milestone in state.milestones:
        if milestone.state is MilestoneState.SUBMITTED and milestone.review_due_at is not None:
            yield Deadline(
                DeadlineKind.REVIEW,
                milestone.id,
                milestone.review_due_at,
                milestone.position,
                "milestone.released",
                Side.FREELANCER,
                (milestone.id,),
            )
