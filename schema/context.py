"""What one operation carries with it: who asks, the batches of its level-wise reads, and what it will say in `extensions`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import strawberry
from graphql import GraphQLError

from escrow.access import Actor, Scope
from schema.batching import Batches


@dataclass(slots=True, eq=False)
class Context:
    """Made afresh for each operation. `actor` is `None` for somebody who brought no credentials."""

    actor: Actor | None
    sandbox: bool = False
    """Whether the deployment is a sandbox, whose test clock can be moved."""
    batches: Batches = field(default_factory=Batches)
    replayed: list[list[str | int]] = field(default_factory=list)
    """The paths of mutations that answered with the result of an earlier call under the same idempotency key."""

    def reader(self, scope: Scope) -> Actor:
        """Whoever asks, if they may ask with this scope.

        Raises `GraphQLError`: `UNAUTHENTICATED` without credentials, `FORBIDDEN` if the key lacks the scope.
        """
        actor = self.known()
        if scope not in actor.scopes:
            raise GraphQLError(
                f"This key lacks the scope {scope.value}.", extensions={"code": "FORBIDDEN", "scope": scope.value}
            )
        return actor

    def known(self) -> Actor:
        """Whoever asks, whatever their scopes; `UNAUTHENTICATED` without credentials."""
        if self.actor is None:
            raise GraphQLError(
                "This needs credentials: send the header “Authorization: Bearer ek_…”.",
                extensions={"code": "UNAUTHENTICATED"},
            )
        return self.actor


Info: TypeAlias = strawberry.Info[Context, None]
