"""The types that tell what may be done with a contract and its milestones now, and what happens if nobody does anything."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Final, cast

import strawberry
from strawberry.scalars import JSON

from escrow.access import Actor
from escrow.agreement.deadlines import UNSEEN, deadlines, first_clocks
from escrow.agreement.deadlines import Deadline as Clock
from escrow.agreement.decisions.change_requests import Comparison, compare
from escrow.agreement.permit import first_refusal, last_refusal, permit
from escrow.agreement.state import ChangeRequest, Deposit, Dispute, Milestone, Order, RefundRequest
from escrow.errors import DomainError, ErrorCode
from escrow.queries.contracts import Standing, standings
from escrow.rules import RULES, Action, Subject
from escrow.states import ChangeRequestState
from schema.engine.context import Context
from schema.engine.data_loaders import data_loader
from schema.types.deadlines import Deadline

ON_CONTRACTS: Final = tuple(
    action for action, rule in RULES.items() if rule.subject is Subject.CONTRACT and action is not Action.PROPOSE
)
ON_MILESTONES: Final = tuple(action for action, rule in RULES.items() if rule.subject is Subject.MILESTONE)

_PLACES: Final = {
    Subject.DEPOSIT: "deposits",
    Subject.ORDER: "orders",
    Subject.CHANGE_REQUEST: "change_requests",
    Subject.REFUND: "refunds",
    Subject.DISPUTE: "disputes",
}
"""Where a contract has the objects of a kind."""

ON_OBJECTS: Final = {
    subject: tuple(action for action, rule in RULES.items() if rule.subject is subject) for subject in _PLACES
}


@strawberry.type(description="Why something is not allowed.")
class Refusal:
    code: ErrorCode = strawberry.field(description="The reason, for programs.")
    message: str = strawberry.field(description="The reason, for people.")
    cause: str | None = strawberry.field(
        description="Which sentence it is, for pages that say it in another language; null if it has no name. With `details` "
        "it says all that the message does."
    )
    details: JSON | None = strawberry.field(description="Values of that sentence, by name; null if there are none.")

    @classmethod
    def of(cls, refusal: DomainError) -> Refusal:
        details = cast("JSON | None", refusal.details or None)
        return cls(code=refusal.code, message=refusal.message, cause=refusal.cause, details=details)


@strawberry.type(description="An action, and whether the viewer may take it now.")
class AllowedAction:
    action: Action = strawberry.field(description="What could be done.")
    allowed: bool = strawberry.field(
        description="Whether the viewer may do it now, as far as it doesn't depend on the input."
    )
    reason: Refusal | None = strawberry.field(description="Why not; null if it is allowed.")


class Outlook:
    """What one viewer may do with one contract now, and which clocks run on it.

    A plan may have 200 milestones in few situations: what is the same for all milestones in one is decided once.
    """

    def __init__(self, standing: Standing, actor: Actor) -> None:
        self._stored, self._now, self._around = standing.stored, standing.now, standing.around
        self._actor = actor
        self._current = {milestone.id: milestone for milestone in standing.now.milestones}
        self._by_situation: dict[Hashable, list[AllowedAction]] = {}
        self._comparisons: dict[str, Comparison | None] = {}

    def allowed_on_contract(self) -> list[AllowedAction]:
        """Every action on the contract itself, with the reason if the viewer may not take it now."""
        refusals = (permit(self._now, action, None, actor=self._actor, around=self._around) for action in ON_CONTRACTS)
        return [_allowed(action, refusal) for action, refusal in zip(ON_CONTRACTS, refusals, strict=True)]

    def allowed_on(self, milestone: Milestone) -> list[AllowedAction]:
        """Every action on one of the contract's milestones, of this or a former revision."""
        found = self._current.get(milestone.id, milestone)
        situation = _situation(found)
        actions = self._by_situation.get(situation)
        if actions is None:
            self._by_situation[situation] = actions = self._decided(found)
        return [self._finally(one, found.id) for one in actions]

    def allowed_on_object(
        self, subject: Subject, whole: RefundRequest | Dispute | ChangeRequest | Deposit | Order
    ) -> list[AllowedAction]:
        """Every action on a refund request, a dispute, a change request, a deposit or a payment order."""
        place = _PLACES[subject]
        known = getattr(self._now, place)
        # Standings hold the open ones only, as they are once all that is due has happened.
        there: dict[str, Any] = {} if whole.id in known else {place: {**known, whole.id: whole}}
        state = replace(self._now, **there)
        actions = ON_OBJECTS[subject]
        refusals = (permit(state, action, whole.id, actor=self._actor, around=self._around) for action in actions)
        return [_allowed(action, refusal) for action, refusal in zip(actions, refusals, strict=True)]

    def comparison(self, change_request_id: str) -> Comparison | None:
        """The plan before and after an open change request; `None` for one that is not open."""
        if change_request_id not in self._comparisons:
            request = self._now.change_requests.get(change_request_id)
            is_open = request is not None and request.state is ChangeRequestState.OPEN
            found = compare(self._now, request, around=self._around) if request is not None and is_open else None
            self._comparisons[change_request_id] = found
        return self._comparisons[change_request_id]

    def next_deadline(self, milestone_id: str | None = None) -> Deadline | None:
        """The first clock that rings on the contract, or on what one milestone waits for."""
        return _shown(self._first_clocks.get(milestone_id or self._stored.id))

    def deadline_of(self, subject_id: str) -> Deadline | None:
        """The clock that runs on a deposit, a refund request or a dispute itself."""
        running = (clock for clock in deadlines(self._stored) if clock.kind not in UNSEEN)
        return _shown(next((clock for clock in running if clock.subject_id == subject_id), None))

    @cached_property
    def _first_clocks(self) -> Mapping[str, Clock]:
        return first_clocks(self._stored.id, deadlines(self._stored))

    def _decided(self, milestone: Milestone) -> list[AllowedAction]:
        """The actions as far as they are the same for all milestones in this one's situation."""
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


def _shown(clock: Clock | None) -> Deadline | None:
    return Deadline(at=clock.due_at, action=clock.action, in_favour_of=clock.in_favour_of) if clock else None


def _situation(milestone: Milestone) -> Hashable:
    """All that refusals ask of a milestone before the input is looked at."""
    bars = milestone.client_barred_until, milestone.freelancer_barred_until
    return milestone.state, milestone.hold, milestone.hold_id, milestone.is_frozen, bars


def _allowed(action: Action, refusal: DomainError | None) -> AllowedAction:
    if refusal is None:
        return AllowedAction(action=action, allowed=True, reason=None)
    return AllowedAction(action=action, allowed=False, reason=Refusal.of(refusal))


@data_loader
async def standing_of(contract_ids: Sequence[str], context: Context) -> list[Outlook]:
    """What decides what the viewer may do with contracts now: one statement for all that are asked for."""
    found = await standings(context.known(), contract_ids)
    return [Outlook(found[contract_id], context.known()) for contract_id in contract_ids]
