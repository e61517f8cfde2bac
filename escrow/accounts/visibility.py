"""Says which accounts exist for an actor, as a piece of SQL.

Its own, those that it shares a contract with, the parties of contracts that it mediates; all of them for the operator.

A key that is limited to some contracts sees the other party of those only; the operator's limited key both parties.
"""

from __future__ import annotations

from typing import Final

from escrow.access import Actor, ActorKind
from escrow.database import unseen

_ME: Final = unseen(":actor::text")
_OPERATES: Final = unseen(":actor_is_operator::boolean")
_MEDIATES: Final = unseen(":actor_is_mediator::boolean")
_LIMIT: Final = unseen(":actor_limit::text[]")


def visible_sql(account: str) -> str:
    """A condition on the row `account`, for a `database.Statement`; its parameters are `visible_arguments`."""
    # OFFSET 0 keeps each look-up a look-up: with old statistics the planner would rather hash all the actor's contracts.
    return f"""(
        {account}.id = {_ME} OR ({_OPERATES} AND {_LIMIT} IS NULL)
        OR EXISTS (SELECT FROM contracts AS shared
            WHERE shared.client_id = {_ME} AND shared.freelancer_id = {account}.id
            AND ({_LIMIT} IS NULL OR shared.id = ANY ({_LIMIT})) OFFSET 0)
        OR EXISTS (SELECT FROM contracts AS shared
            WHERE shared.freelancer_id = {_ME} AND shared.client_id = {account}.id
            AND ({_LIMIT} IS NULL OR shared.id = ANY ({_LIMIT})) OFFSET 0)
        OR ({_OPERATES} AND EXISTS (SELECT FROM contracts AS shared
            WHERE shared.id = ANY ({_LIMIT}) AND {account}.id IN (shared.client_id, shared.freelancer_id) OFFSET 0))
        OR ({_MEDIATES} AND EXISTS (SELECT FROM contracts AS shared
            WHERE shared.client_id = {account}.id AND shared.was_disputed
            AND ({_LIMIT} IS NULL OR shared.id = ANY ({_LIMIT})) OFFSET 0))
        OR ({_MEDIATES} AND EXISTS (SELECT FROM contracts AS shared
            WHERE shared.freelancer_id = {account}.id AND shared.was_disputed
            AND ({_LIMIT} IS NULL OR shared.id = ANY ({_LIMIT})) OFFSET 0))
    )"""  # noqa: S608 - only the name of a row is filled in


def visible_arguments(actor: Actor) -> dict[str, object]:
    """Who looks, as `visible_sql` asks for it."""
    limit = sorted(actor.contract_ids) if actor.contract_ids is not None else None
    return {
        "actor": actor.account_id,
        "actor_is_operator": actor.kind is ActorKind.OPERATOR,
        "actor_limit": limit,
        "actor_is_mediator": actor.is_mediator,
    }
