"""Says which accounts exist for an actor, as a piece of SQL.

Its own, those that it shares a contract with, the parties of contracts that it mediates; all of them for the operator.

A key that is limited to some contracts sees the other party of those only; the operator's limited key both parties.
"""

from __future__ import annotations

from typing import Final

from escrow.access import Actor, ActorKind

PARAMETERS: Final = 4


def visible_sql(account: str, *, first: int) -> str:
    """A condition on the row `account`; its parameters are `visible_arguments`, numbered from `first` on."""
    # OFFSET 0 keeps each look-up a look-up: with old statistics the planner would rather hash all the actor's contracts.
    actor, is_operator, limit, is_mediator = (f"${number}" for number in range(first, first + PARAMETERS))
    return f"""(
        {account}.id = {actor}::text OR ({is_operator}::boolean AND {limit}::text[] IS NULL)
        OR EXISTS (SELECT FROM contracts AS shared
            WHERE shared.client_id = {actor}::text AND shared.freelancer_id = {account}.id
            AND ({limit}::text[] IS NULL OR shared.id = ANY ({limit}::text[])) OFFSET 0)
        OR EXISTS (SELECT FROM contracts AS shared
            WHERE shared.freelancer_id = {actor}::text AND shared.client_id = {account}.id
            AND ({limit}::text[] IS NULL OR shared.id = ANY ({limit}::text[])) OFFSET 0)
        OR ({is_operator}::boolean AND EXISTS (SELECT FROM contracts AS shared
            WHERE shared.id = ANY ({limit}::text[]) AND {account}.id IN (shared.client_id, shared.freelancer_id) OFFSET 0))
        OR ({is_mediator}::boolean AND EXISTS (SELECT FROM contracts AS shared
            WHERE shared.client_id = {account}.id AND shared.was_disputed
            AND ({limit}::text[] IS NULL OR shared.id = ANY ({limit}::text[])) OFFSET 0))
        OR ({is_mediator}::boolean AND EXISTS (SELECT FROM contracts AS shared
            WHERE shared.freelancer_id = {account}.id AND shared.was_disputed
            AND ({limit}::text[] IS NULL OR shared.id = ANY ({limit}::text[])) OFFSET 0))
    )"""  # noqa: S608 - only numbers of parameters and the name of a row are filled in


def visible_arguments(actor: Actor) -> list[object]:
    """Who looks, as `visible_sql` asks for it."""
    limit = sorted(actor.contract_ids) if actor.contract_ids is not None else None
    return [actor.account_id, actor.kind is ActorKind.OPERATOR, limit, actor.is_mediator]
