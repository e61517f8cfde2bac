"""What may be done with a contract and its milestones now, and what happens if nobody does anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import strawberry

from escrow.access import Actor, Side
from escrow.agreement.deadlines import next_deadline
from escrow.agreement.permit import first_refusal, last_refusal, permit
from escrow.agreement.state import Milestone
from escrow.errors import DomainError, ErrorCode
from escrow.lifecycle import TRANSITIONS, Action, MilestoneState, Subject
from escrow.queries.contracts import Standing, standings
from schema.batching import batched
from schema.context import Context

ON_CONTRACTS: Final = tuple(
    action for action, row in TRANSITIONS.items() if row.subject is Subject.CONTRACT and action is not Action.PROPOSE
)
ON_MILESTONES: Final = tuple(action for action, row in TRANSITIONS.items() if row.subject is Subject.MILESTONE)


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


class Outlook:
    """What one viewer may do with one contract now, and which clocks run on it.

    A plan may have 200 milestones in ten states: what is the same for all milestones of a state is decided once.
    """

    def __init__(self, standing: Standing, actor: Actor) -> None:
        self._stored, self._now, self._around = standing.stored, standing.now, standing.around
        self._actor = actor
        self._current = {milestone.id: milestone for milestone in standing.now.milestones}
        self._by_state: dict[MilestoneState, list[AllowedAction]] = {}

    def allowed_on_contract(self) -> list[AllowedAction]:
        """Every action on the contract itself, with the reason if the viewer may not take it now."""
        refusals = (permit(self._now, action, None, actor=self._actor, around=self._around) for action in ON_CONTRACTS)
        return [_allowed(action, refusal) for action, refusal in zip(ON_CONTRACTS, refusals, strict=True)]

    def allowed_on(self, milestone: Milestone) -> list[AllowedAction]:
        """Every action on one of the contract's milestones, of this or a former revision."""
        found = self._current.get(milestone.id, milestone)
        actions = self._by_state.get(found.state)
        if actions is None:
            self._by_state[found.state] = actions = self._decided(found)
        return [self._finally(one, found.id) for one in actions]

    def next_deadline(self, milestone_id: str | None = None) -> Deadline | None:
        """The first clock that rings on the contract, or on what one milestone waits for."""
        clock = next_deadline(self._stored, milestone_id)
        return Deadline(at=clock.due_at, action=clock.action, in_favour_of=clock.in_favour_of) if clock else None

    def _decided(self, milestone: Milestone) -> list[AllowedAction]:
        """The actions as far as they are the same for all milestones of this one's state."""
        state = self._now
        if milestone.id not in self._current:  # of a former revision: standings hold the current plan only
            state = replace(state, former={milestone.id: milestone})
        return [
            _allowed(action, first_refusal(state, action, milestone.id, actor=self._actor, around=self._around))
            for action in ON_MILESTONES
        ]

    def _finally(self, one: AllowedAction, milestone_id: str) -> AllowedAction:
        """The action with what else may stand against it on this very milestone."""
        if not one.allowed:
            return one
        refusal = last_refusal(self._now, one.action, milestone_id)
        return _allowed(one.action, refusal) if refusal is not None else one


def _allowed(action: Action, refusal: DomainError | None) -> AllowedAction:
    if refusal is None:
        return AllowedAction(action=action, allowed=True, reason=None)
    return AllowedAction(action=action, allowed=False, reason=Refusal(code=refusal.code, message=refusal.message))


@batched
async def standing_of(contract_ids: Sequence[str], context: Context) -> list[Outlook]:
    """What decides what the viewer may do with contracts now: one statement for all that are asked for."""
    found = await standings(contract_ids)
    return [Outlook(found[contract_id], context.known()) for contract_id in contract_ids]
