"""Whether an action may be tried at all: every refusal that doesn't depend on the input, in the order of the law.

The order is section 3's: the contract not found; forbidden by the table of roles; version; object not found; the contract's
state; the object's state; not your turn; same party; then, after the input, what is out of sequence. ``allowedActions`` is
this function mapped over the table of actions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from escrow.access import PERMISSIONS, Actor, ActorKind, Permission, Scope, Side, may_see
from escrow.agreement.postings import payable_to
from escrow.agreement.state import Contract, Milestone, Surroundings
from escrow.errors import (
    DomainError,
    Forbidden,
    InsufficientFunds,
    InvalidState,
    MilestoneLocked,
    NotFound,
    OutOfSequence,
    SameParty,
    VersionConflict,
)
from escrow.lifecycle import TRANSITIONS, Action, MilestoneState, Transition, Turn


@dataclass(frozen=True, slots=True)
class Named:
    """The versions that a command names; ``None`` where it names none."""

    revision: int | None = None
    plan_version: int | None = None


NOTHING_NAMED: Final = Named()


def permit(
    state: Contract, action: Action, milestone_id: str | None, *, actor: Actor, around: Surroundings
) -> DomainError | None:
    """The first refusal that no input could avert, or ``None``."""
    return first_refusal(state, action, milestone_id, actor=actor, around=around) or last_refusal(
        state, action, milestone_id
    )


def first_refusal(
    state: Contract,
    action: Action,
    milestone_id: str | None,
    *,
    actor: Actor,
    around: Surroundings,
    named: Named = NOTHING_NAMED,
) -> DomainError | None:
    """The refusals that come before the input is looked at. Of the milestone they ask nothing but its state."""
    row = TRANSITIONS[action]
    milestone = state.milestone(milestone_id) if milestone_id is not None else None
    return (
        _unseen(state, actor)
        or _forbidden(state, row, actor, around)
        or _version_conflict(state, named)
        or _object_not_found(row, milestone, milestone_id)
        or _contract_state(state, row, milestone, actor, around)
        or _milestone_state(row, milestone)
        or _turn(state, row, actor)
        or _same_party(row, around)
    )


def last_refusal(state: Contract, action: Action, milestone_id: str | None) -> DomainError | None:
    """The refusals that come after the input was found good."""
    if action is Action.FUND and milestone_id is not None:
        return _funding_sequence(state, milestone_id)
    if action is Action.REQUEST_PAYOUT:
        return _nothing_to_pay(state)
    return None


def forbidden_for(actor: Actor, permission: Permission, side: Side | None) -> DomainError | None:
    """What the table of roles says against this actor on this side; ``None`` as a side is neither party."""
    if actor.kind not in (ActorKind.ACCOUNT, ActorKind.OPERATOR):
        return Forbidden(f"This is for a party of the contract, not for {actor.kind.value.lower()}.")
    if side not in permission.sides:
        wanted = " or the ".join(sorted(one.value.lower() for one in permission.sides))
        return Forbidden(f"Only the {wanted} may do this.", details={"sides": sorted(permission.sides)})
    if not actor.role.includes(permission.role):
        return Forbidden(
            f"This needs the role {permission.role}; yours is {actor.role}.", details={"role": permission.role.value}
        )
    return missing_scope(actor, permission.scope)


def forbidden_by_table(actor: Actor, action: Action, side: Side | None) -> DomainError | None:
    """What the table says against this actor and its key, whatever has become of the contract.

    It is asked before every command, and again before a repetition is answered with what came of the first.
    """
    refusal = forbidden_for(actor, PERMISSIONS[action], side)
    if refusal is None and action is Action.PROPOSE and actor.contract_ids is not None:
        return Forbidden("This key is limited to some contracts; it can't propose new ones.")
    return refusal


def missing_scope(actor: Actor, scope: Scope) -> Forbidden | None:
    """A refusal if the actor's key was not made for this."""
    if scope in actor.scopes:
        return None
    return Forbidden(f"This key lacks the scope {scope.value}.", details={"scope": scope.value})


def no_such_contract() -> NotFound:
    """The same for a contract that isn't there and for one that the actor may not see."""
    return NotFound("There is no such contract.")


def _unseen(state: Contract, actor: Actor) -> DomainError | None:
    if may_see(actor, contract_id=state.id, client_id=state.client_id, freelancer_id=state.freelancer_id):
        return None
    return no_such_contract()


def _forbidden(state: Contract, row: Transition, actor: Actor, around: Surroundings) -> DomainError | None:
    side = state.side_of(actor.account_id)
    refusal = forbidden_by_table(actor, row.action, side)
    if refusal is None and row.needs_enabled_parties and _is_disabled(around, side):
        return Forbidden("Your account is disabled.")
    return refusal


def _is_disabled(around: Surroundings, side: Side | None) -> bool:
    party = around.client if side is Side.CLIENT else around.freelancer
    return party is not None and party.disabled


def _version_conflict(state: Contract, named: Named) -> DomainError | None:
    for what, name, current in (
        ("revision", named.revision, state.revision),
        ("planVersion", named.plan_version, state.plan_version),
    ):
        if name is not None and name != current:
            return VersionConflict(
                f"You named {what} {name}; it is {current} now.", details={"named": name, "current": current}
            )
    return None


def _object_not_found(row: Transition, milestone: Milestone | None, milestone_id: str | None) -> DomainError | None:
    if row.milestone is not None and milestone is None:
        return NotFound(f"There is no milestone {milestone_id}.", field="milestoneId")
    return None


def _contract_state(
    state: Contract, row: Transition, milestone: Milestone | None, actor: Actor, around: Surroundings
) -> DomainError | None:
    if is_released_again(row.action, milestone):
        return None
    if row.contract is not None and state.state not in row.contract:
        wanted = " or ".join(sorted(row.contract))
        return InvalidState(
            f"The contract is {state.state}; this needs it {wanted}.", details={"contractState": state.state.value}
        )
    side = state.side_of(actor.account_id)
    if row.needs_enabled_parties and side is not None and _is_disabled(around, side.other):
        return InvalidState("The other party's account is disabled.")
    if row.action is Action.FUND and not around.disputes_can_be_decided:
        return InvalidState(
            "Nobody can decide disputes in this deployment, so it takes no deposits: the operator must appoint a mediator "
            "or make a key with the scope disputes:decide."
        )
    return None


def is_released_again(action: Action, milestone: Milestone | None) -> bool:
    """A late click: approving what is already released is no error, in any state of the contract."""
    return action is Action.APPROVE and milestone is not None and milestone.state is MilestoneState.RELEASED


def _milestone_state(row: Transition, milestone: Milestone | None) -> DomainError | None:
    if milestone is None or row.milestone is None or milestone.state in row.milestone:
        return None
    if is_released_again(row.action, milestone):
        return None
    details = {"milestoneState": milestone.state.value}
    if row.edits_plan:
        return MilestoneLocked(
            f"The milestone is {milestone.state}; only PLANNED ones can be changed.", details=details
        )
    if milestone.state is MilestoneState.FUNDED:
        return OutOfSequence("The milestone is FUNDED and waits for its turn.", details=details)
    wanted = " or ".join(sorted(row.milestone))
    return InvalidState(f"The milestone is {milestone.state}; this needs it {wanted}.", details=details)


def _turn(state: Contract, row: Transition, actor: Actor) -> DomainError | None:
    if row.turn is None:
        return None
    mine = state.side_of(actor.account_id) is state.turn
    if mine == (row.turn is Turn.OWN):
        return None
    if mine:
        return Forbidden("It is your turn: accept, revise or decline; only the other side can withdraw it.")
    return Forbidden(f"It is the {state.turn.value.lower()}'s turn; you can only withdraw the proposal.")


def _same_party(row: Transition, around: Surroundings) -> DomainError | None:
    if row.action is Action.ACCEPT and around.share_member:
        return same_party()
    return None


def same_party() -> SameParty:
    return SameParty("Client and freelancer must differ and share no member.")


def _funding_sequence(state: Contract, milestone_id: str) -> DomainError | None:
    for milestone in state.milestones:
        if milestone.state in (MilestoneState.FUNDING, MilestoneState.FUNDED):
            reason = f"Milestone {milestone.position} is {milestone.state}; wait until its work is under way."
            return OutOfSequence(reason, details={"milestoneId": milestone.id})
        if milestone.state is MilestoneState.PLANNED:
            if milestone.id == milestone_id:
                return None
            return OutOfSequence(
                f"Milestone {milestone.position} must be funded first.", details={"milestoneId": milestone.id}
            )
    return None


def _nothing_to_pay(state: Contract) -> DomainError | None:
    if state.balances.get((payable_to(state.id, Side.FREELANCER), state.currency), 0) > 0:
        return None
    return InsufficientFunds("Nothing is payable to the freelancer of this contract.")
