"""Says whose deliveries an actor may see, for the statements of this package.

Deliveries belong to whoever owns the endpoint. The operator sees those of any endpoint that it names, a key that is limited to
some contracts only those of their events.
"""

from __future__ import annotations

from typing import Final

from escrow.access import Actor, ActorKind

SEEN_SQL: Final = """
EXISTS (SELECT FROM endpoints WHERE id = found.endpoint_id AND (account_id = :account_id OR :is_operator::boolean))
    AND (:contract_ids::text[] IS NULL OR found.stream_id = ANY (:contract_ids))"""
"""Whether the `viewer` may see the delivery `found`."""


def viewer(actor: Actor) -> dict[str, object]:
    """The parameters of `SEEN_SQL`."""
    return {
        "account_id": actor.account_id,
        "is_operator": actor.kind is ActorKind.OPERATOR,
        "contract_ids": limited_to(actor),
    }


def limited_to(actor: Actor) -> list[str] | None:
    """The contracts that the actor's key is limited to."""
    return sorted(actor.contract_ids) if actor.contract_ids is not None else None
