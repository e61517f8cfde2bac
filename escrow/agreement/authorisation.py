"""Decides whether somebody may take an action at all: sides, roles and scopes, disabled accounts, conflicts of interest.

What it asks stands in docs/law.md, section 1, and in the table of rules.
"""

from __future__ import annotations

from typing import Final

from escrow.access import Actor, ActorKind, Role, Scope, Side, may_see
from escrow.agreement.state import Contract, Surroundings
from escrow.agreement.subjects import Case
from escrow.causes import Cause
from escrow.errors import ConflictOfInterest, DomainError, Forbidden, NotFound
from escrow.rules import RULES, Action, Rule


def refusal(case: Case, actor: Actor, around: Surroundings) -> DomainError | None:
    """The first refusal that depends on who acts: unseen, forbidden, a conflict of interest."""
    if not sees(actor, case.state, around):
        return no_such_contract()
    return _forbidden(case, actor, around) or _conflict_of_interest(case, actor, around)


def forbidden_by_table(
    actor: Actor, action: Action, side: Side | None, *, is_mediator: bool = False
) -> DomainError | None:
    """What the table says against this actor and its key on this side, whatever has become of the contract.

    It is asked before every command, and again before a repetition is answered with what came of the first. `None` as a side
    is neither party.
    """
    rule = RULES[action]
    if actor.kind not in (ActorKind.ACCOUNT, ActorKind.OPERATOR):
        return Forbidden(f"This is for people, not for the {actor.kind.value.lower()}.")
    decides = rule.operator if actor.kind is ActorKind.OPERATOR else rule.mediators and is_mediator
    if side not in rule.sides and not decides:
        details = {"sides": sorted(rule.sides), "only": _may(rule)}
        return Forbidden(f"Only {_spoken(rule)} may do this.", details=details, cause=Cause.ONLY_SOME)
    if missing := missing_role(actor, rule.role) or missing_scope(actor, rule.scope):
        return missing
    if action is Action.PROPOSE and actor.contract_ids is not None:
        return Forbidden("This key is limited to some contracts; it can't propose new ones.")
    return None


def _spoken(rule: Rule) -> str:
    return " or ".join(f"{'a' if name == _MEDIATOR else 'the'} {name.lower()}" for name in _may(rule))


def _may(rule: Rule) -> list[str]:
    """Who may by the table, sides first."""
    others = {_MEDIATOR: rule.mediators, _OPERATOR: rule.operator}
    return [*sorted(side.value for side in rule.sides), *(name for name, may in others.items() if may)]


_MEDIATOR: Final = "MEDIATOR"
_OPERATOR: Final = "OPERATOR"


def missing_role(actor: Actor, role: Role) -> Forbidden | None:
    """A refusal if the actor's member has less to say."""
    if actor.role.includes(role):
        return None
    return Forbidden(
        f"This needs the role {role}; yours is {actor.role}.", details={"role": role.value}, cause=Cause.ROLE
    )


def missing_scope(actor: Actor, scope: Scope) -> Forbidden | None:
    """A refusal if the actor's key was not made for this."""
    if scope in actor.scopes:
        return None
    return Forbidden(f"This key lacks the scope {scope.spelt}.", details={"scope": scope.value}, cause=Cause.SCOPE)


def no_such_contract() -> NotFound:
    """The same for a contract that isn't there and for one that the actor may not see."""
    return NotFound("There is no such contract.")


def sees(actor: Actor, state: Contract, around: Surroundings) -> bool:
    """Whether the contract exists for the actor."""
    return may_see(
        actor,
        contract_id=state.id,
        client_id=state.client_id,
        freelancer_id=state.freelancer_id,
        is_mediator=around.mediator is not None,
        was_disputed=state.was_disputed,
    )


def _forbidden(case: Case, actor: Actor, around: Surroundings) -> DomainError | None:
    by_table = forbidden_by_table(actor, case.rule.action, case.side, is_mediator=around.mediator is not None)
    if by_table is not None:
        return by_table
    decides = case.side not in case.rule.sides
    if decides and around.mediator is not None and around.mediator.disabled:
        return Forbidden("Your account is disabled.", cause=Cause.OWN_ACCOUNT_DISABLED)
    if case.needs_enabled_parties and case.side is not None and is_disabled(around, case.side):
        return Forbidden("Your account is disabled.", cause=Cause.OWN_ACCOUNT_DISABLED)
    return None


def _conflict_of_interest(case: Case, actor: Actor, around: Surroundings) -> DomainError | None:
    if not case.rule.mediators or actor.kind is ActorKind.OPERATOR:
        return None
    if case.side is not None:
        return ConflictOfInterest(
            "You are a party of this contract: another mediator or the operator must decide.", cause=Cause.IS_PARTY
        )
    if around.mediator is not None and around.mediator.shares_member:
        return ConflictOfInterest(
            "You share a member with a party of this contract: another mediator or the operator must decide.",
            cause=Cause.SHARES_MEMBER,
        )
    return None


def is_disabled(around: Surroundings, side: Side) -> bool:
    """Whether the party of that side is disabled."""
    party = around.client if side is Side.CLIENT else around.freelancer
    return party is not None and party.disabled
