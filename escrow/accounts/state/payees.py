"""A payee: an account as the payment provider knows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Payee:
    """Whether an account can be paid by a provider, as it said last."""

    provider: str
    """As in `Terms.provider`."""
    payee_id: str | None
    """What the provider calls it; `None` until it was made there."""
    can_be_paid: bool
    missing: tuple[str, ...] = ()
    """What the provider waits for from the payee, in its own words."""
    since: datetime
    """Since when this holds, in domain time."""
    until: datetime | None = None
    """When something missing will have it paid no more, in real time."""
