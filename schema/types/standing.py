"""What may be done with a contract and its milestones now, and what happens if nobody does anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import strawberry

from escrow.access import Actor, Side
from escrow.agreement.deadlines import next_deadline
from escrow.agreement.permit import permit
from escrow.agreement.state import Contract, Milestone, Surroundings
from escrow.errors import ErrorCode
from escrow.lifecycle import TRANSITIONS, Action
from escrow.queries.contracts import Standing, standings
from schema.batching import batched
from schema.context import Context

ON_CONTRACTS: Final = tuple(
    action for action, row in TRANSITIONS.items() if row.milestone is None and action is not Action.PROPOSE
)
ON_MILESTONES: Final = tuple(action for action, row in TRANSITIONS.items() if row.milestone is not None)


@strawberry.type(description="Why something is not allowed.")
class Refusal:
    code: ErrorCode = strawberry.field(description="The reason, for programs.")
    message: str = strawberry.field(description="The reason, for people.")


@strawberry.type(description="An action, and whether the viewer may take it now.")
class AllowedAction:
    action: Action = strawberry.field(description="What could be done.")
    allowed: bool = strawberry.field(
        description="Whether the viewer may do it now, as far as it doesn't depend on the input."
    )
    reason: Refusal | None = strawberry.field(description="Why not; null if it is allowed.")


@strawberry.type(description="A running clock: what happens by itself if nobody acts before.")
class Deadline:
    at: datetime = strawberry.field(description="When it happens.")
    action: str = strawberry.field(description="The type of the event that happens then, such as `milestone.released`.")
    in_favour_of: Side | None = strawberry.field(description="The side that the silence favours, if it favours one.")


@batched
async def standing_of(contract_ids: Sequence[str], _: Context) -> list[Standing]:
    """What decides what may be done with contracts now: one statement for all that are asked for."""
    found = await standings(contract_ids)
    return [found[contract_id] for contract_id in contract_ids]


def allowed_actions(standing: Standing, actor: Actor, milestone: Milestone | None = None) -> list[AllowedAction]:
    """Every action on the contract, or on one of its milestones, with the reason if this actor may not take it now."""
    state = standing.now
    if milestone is None:
        return [_allowed(state, action, actor, standing.around, None) for action in ON_CONTRACTS]
    if state.milestone(milestone.id) is None:  # of a former revision: standings hold the current plan only
        state = replace(state, former={milestone.id: milestone})
    return [_allowed(state, action, actor, standing.around, milestone.id) for action in ON_MILESTONES]


def _allowed(
    state: Contract, action: Action, actor: Actor, around: Surroundings, milestone_id: str | None
) -> AllowedAction:
    refusal = permit(state, action, milestone_id, actor=actor, around=around)
    if refusal is None:
        return AllowedAction(action=action, allowed=True, reason=None)
    return AllowedAction(action=action, allowed=False, reason=Refusal(code=refusal.code, message=refusal.message))


def deadline_of(state: Contract, milestone_id: str | None = None) -> Deadline | None:
    """The first clock that rings on the contract, or on what one milestone waits for."""
    clock = next_deadline(state, milestone_id)
    return Deadline(at=clock.due_at, action=clock.action, in_favour_of=clock.in_favour_of) if clock else None
