"""Holds what all requests to `/graphql` share in one process: the runner, the credentials, the open streams."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from api.credentials import Authentication, BadCredentials
from api.lately import Lately
from api.live.open_streams import Connections
from api.rates.budgets import Rates, client_of
from escrow.access import Actor
from escrow.accounts import known_keys
from escrow.annex import Annex, opened
from escrow.live.hub import Hub
from escrow.refused_credentials import Refusals
from escrow.settings import Reach
from schema.engine.execution import Runner
from webhooks.owner.live import Watching

KEPT_SECONDS: Final = 0.25
"""How long it is believed what was found out about the deployment: whoever asks more often gets what was found last."""


@dataclass(slots=True, kw_only=True)
class Door:
    """The runner of operations, who is recognised how, and the streams that are open."""

    runner: Runner
    authentication: Authentication = field(default_factory=Authentication)
    hub: Hub = field(default_factory=Hub)
    deliveries: Watching = field(default_factory=Watching)
    connections: Connections = field(default_factory=Connections)
    rates: Rates = field(default_factory=Rates)
    allowed_origins: frozenset[str] = frozenset()
    """Origins beside our own whose pages may use the API."""
    own_origins: frozenset[str] = frozenset()
    """Our own origin, where it is known to be another one than requests name as their host."""
    sandbox: bool = False
    """Whether the deployment is a sandbox, whose test clock can be moved."""
    reach: Reach = Reach.PUBLIC
    """How far webhooks may reach beyond the internet."""
    milestone_url: str | None = None
    """Where people see a milestone, with `{milestoneId}` in it."""
    readiness: Lately[Any] = field(default_factory=lambda: Lately(KEPT_SECONDS))
    """Whether this process can serve."""
    figures: Lately[Any] = field(default_factory=lambda: Lately(KEPT_SECONDS))
    """What `/metrics` says."""
    refusals: Refusals = field(default_factory=Refusals)
    """Credentials that named nobody."""
    policy_reports: Counter[str] = field(default_factory=Counter)
    """What browsers kept pages of ours from, by the directive of their policy."""
    annex: Annex | None = None
    """Where long requests are read and dear operations run; here, if there is none."""

    async def actor(self, authorization: str | None, address: str, *, fresh: bool = False) -> Actor | None:
        """As `Authentication.actor` says; a key that is none is paid for by the address that shows it, and told at its pace.

        An address that can't pay waits before it is even found out what its key is, unless it was right before. Raises
        `BadCredentials`, and `OverBudget` for one key too many.
        """
        if (
            authorization is not None
            and self.rates.is_barred(address)
            and not self.authentication.was_right(authorization)
        ):
            await self.rates.pause(client_of(address))
        try:
            return await self.authentication.actor(authorization, fresh=fresh)
        except BadCredentials as error:
            self.refusals.note(client_of(address), error.reason)
            await self.rates.wrong_key(address)
            await self.rates.pause(client_of(address))
            raise

    def asking(self, authorization: str | None, address: str) -> Asking:
        """Whoever comes with this header to have one operation run."""
        return Asking(self, authorization, address)

    @asynccontextmanager
    async def with_annex(self, database_url: str) -> AsyncIterator[None]:
        """Have an annex on this database while the block lasts."""
        async with opened(database_url) as annex:
            self.annex = annex
            self.runner.open(annex)
            try:
                yield
            finally:
                self.annex = None
                self.runner.close()


class Asking:
    """Whoever asks for one operation, for as long as it takes until that is run.

    A body may come as slowly as its sender likes, and who asks for much at once waits in line: what was revoked meanwhile opens
    nothing.
    """

    def __init__(self, door: Door, authorization: str | None, address: str) -> None:
        self._door, self._authorization, self._address = door, authorization, address
        self._found: Actor | None = None
        self._asked_at = float("-inf")

    async def actor(self) -> Actor | None:
        """Who it is, found out anew if that is longer ago than a key is remembered. Raises as `Door.actor`."""
        now = known_keys.now()
        if now - self._asked_at > known_keys.TERM_SECONDS:
            self._found = await self._door.actor(self._authorization, self._address)
            self._asked_at = now
        return self._found

    async def still(self) -> Actor | None:
        """Who it is by now. Of a key or a session that is what is remembered, which the bell ends, and hardly ever a statement;
        a token of an identity provider's is remembered by `actor` alone. Raises as `Door.actor`."""
        if self._found is None or self._found.until is None:
            self._asked_at = float("-inf")
        return await self.actor()
