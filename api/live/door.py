"""Holds what all requests to `/graphql` share in one process: the runner, the credentials, the open streams."""

from __future__ import annotations

from dataclasses import dataclass, field

from api.credentials import Authentication
from api.live.open_streams import Connections
from api.rates.budgets import Rates
from escrow.live.hub import Hub
from escrow.settings import Reach
from schema.engine.execution import Runner
from webhooks.owner.live import Watching


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
    sandbox: bool = False
    """Whether the deployment is a sandbox, whose test clock can be moved."""
    reach: Reach = Reach.PUBLIC
    """How far webhooks may reach beyond the internet."""
    milestone_url: str | None = None
    """Where people see a milestone, with `{milestoneId}` in it."""
