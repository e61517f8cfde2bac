"""Holds what one operation carries with it: who asks, its data loaders, and what it will say in `extensions`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import strawberry
from graphql import GraphQLError

from escrow.access import Actor, Scope
from escrow.accounts.authentication import OpensNothing
from escrow.accounts.rules import is_operator
from escrow.annex import at_home
from escrow.errors import Forbidden
from escrow.live.hub import Hub
from escrow.live.key_lifetimes import Viewer
from escrow.settings import Reach
from schema.engine import costs
from schema.engine.budget import Budget, OverBudget
from schema.engine.data_loaders import DataLoaders
from schema.engine.limits import LIST_LENGTH_ASSUMED, LISTED_MAX
from webhooks.owner.live import Watching


@dataclass(frozen=True, slots=True)
class Live:
    """The log as it is written, and who is connected to it."""

    hub: Hub
    viewer: Viewer
    deliveries: Watching
    """What becomes of webhooks, which is in no log."""
    resume_after: str | None = None
    """The cursor that a transport resumes from by itself; it goes before the operation's own `after`."""


@dataclass(slots=True, eq=False)
class Context:
    """Made afresh for each operation. `actor` is `None` for somebody who brought no credentials."""

    actor: Actor | None
    sandbox: bool = False
    """Whether the deployment is a sandbox, whose test clock can be moved."""
    live: Live | None = None
    """What subscriptions are read from, where the transport has room for more than one answer."""
    reach: Reach = Reach.PUBLIC
    """How far webhooks may reach beyond the internet."""
    budget: Budget | None = None
    """What the operation is paid from, where it costs something."""
    still: Callable[[], Coroutine[Any, Any, Actor | None]] | None = None
    """Finds out who asks by now, for what had to wait; raises `OpensNothing` for whoever may ask nothing any more, or
    `OverBudget` if that can't be paid. For the home loop."""
    data_loaders: DataLoaders = field(default_factory=DataLoaders)
    replayed: list[list[str | int]] = field(default_factory=list)
    """The paths of mutations that answered with the result of an earlier call under the same idempotency key."""
    listed: int = 0
    """How many objects the lists without a page size have, all together, as far as they were read."""
    listed_price: float = costs.OBJECT
    """What each of them costs, by the dearest of these lists."""

    has_acted: bool = False
    """Whether the first of its mutations has begun."""
    is_over: bool = False
    """Whether what it came with opened nothing any more when the next mutation would have begun."""

    def afresh(self) -> Context:
        """The same operation, with nothing loaded or listed yet."""
        return replace(self, data_loaders=DataLoaders(), replayed=[], listed=0)

    async def begin(self) -> None:
        """Its turn has come, which may have taken long: who asks is found out by now. Raises what `still` raises."""
        if self.still is not None:
            self.actor = await at_home(self.still)

    async def acting(self) -> Actor:
        """Whoever asks, for the next of its mutations to begin: from the second on found out by now, as others took a while.

        Raises `Forbidden` if the key or session has ended meanwhile, and as `known`.
        """
        if self.has_acted and not self.is_over:
            try:
                await self.begin()
            except (OpensNothing, OverBudget):
                self.is_over = True
        self.has_acted = True
        actor = self.known()
        if self.is_over:
            what = "session" if actor.session_id is not None else "key" if actor.key_id is not None else "token"
            raise Forbidden(
                f"This {what} has ended since the operation began, so this was not done. Repeat it with one that is good."
            )
        return actor

    @property
    def account_id(self) -> str | None:
        """Whose operation it is; `None` for somebody who brought no credentials."""
        return self.actor.account_id if self.actor is not None else None

    @property
    def owner(self) -> Hashable:
        """For whom long work is done: an account's work takes turns with that of others."""
        return self.actor.account_id if self.actor is not None else None

    def check_viewer(self) -> None:
        """Raise `escrow.live.key_lifetimes.Ended` if whoever is connected may hear nothing any more."""
        if self.live is not None:
            self.live.viewer.check()

    def reader(self, scope: Scope) -> Actor:
        """Whoever asks, if they may ask with this scope.

        Raises `GraphQLError`: `UNAUTHENTICATED` without credentials, `FORBIDDEN` if the key lacks the scope.
        """
        actor = self.known()
        if scope not in actor.scopes:
            raise GraphQLError(
                f"This key lacks the scope {scope.spelt}.", extensions={"code": "FORBIDDEN", "scope": scope.value}
            )
        return actor

    def webhook_manager(self) -> Actor:
        """Whoever asks, if they may ask about webhook endpoints: the operator, or a key with the scope for it."""
        actor = self.known()
        return actor if is_operator(actor) else self.reader(Scope.WEBHOOKS_MANAGE)

    def operator(self) -> Actor:
        """Whoever asks, if it is the operator with a key for all contracts; else `FORBIDDEN`."""
        actor = self.reader(Scope.OPERATOR)
        if not is_operator(actor):
            raise GraphQLError("Only the operator may ask for this.", extensions={"code": "FORBIDDEN"})
        return actor

    async def afford(self, listed: int, *, alone: bool = False) -> None:
        """Count the objects of a list without a page size, before anything is asked of them; more than was assumed is charged.
        A list that is `alone` waits for no other one to be counted.

        Raises `GraphQLError` with `QUERY_TOO_COMPLEX` for each such list, if together they are more than `LISTED_MAX`.
        """
        self.listed += listed
        if self.budget is not None and listed > LIST_LENGTH_ASSUMED:
            self.budget.charge((listed - LIST_LENGTH_ASSUMED) * self.listed_price)
        if not alone:
            # The other lists of this level, read by the same statement, count before the first of them is answered.
            await asyncio.sleep(0)
        if self.listed > LISTED_MAX:
            raise GraphQLError(
                f"The lists without pages (plans, members, keys, endpoints) of this operation have {self.listed} entries; "
                f"at most {LISTED_MAX} are allowed. Ask for fewer contracts or accounts per page (`first`), or page through "
                "`milestones`.",
                extensions={"code": "QUERY_TOO_COMPLEX"},
            )

    async def afford_all(self, lists: Sequence[list[Any]], *, alone: bool) -> Sequence[list[Any] | GraphQLError]:
        """The same for the lists of all parents of a level: themselves, or for each what `afford` raises."""
        try:
            await self.afford(sum(map(len, lists)), alone=alone)
        except GraphQLError as refusal:
            return [GraphQLError(refusal.message, extensions=refusal.extensions) for _ in lists]
        return lists

    def known(self) -> Actor:
        """Whoever asks, whatever their scopes; `UNAUTHENTICATED` without credentials."""
        if self.actor is None:
            raise GraphQLError(
                "This needs credentials: send the header “Authorization: Bearer ek_…”.",
                extensions={"code": "UNAUTHENTICATED"},
            )
        return self.actor


Info: TypeAlias = strawberry.Info[Context, None]
