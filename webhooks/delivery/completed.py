"""Holds what came of one delivery, for the code that sends, the code that stores, and the breaker."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from webhooks.delivery.concurrency import Slot
from webhooks.delivery.lanes import Head, Lease
from webhooks.delivery.retries import Verdict
from webhooks.request.answers import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A delivery that this process is done with for now."""

    head: Head
    lease: Lease
    slot: Slot | None = None
    """None: it was given back at once."""
    verdict: Verdict
    """What is to become of it."""
    answer: Answer | None = None
    """None: nothing was sent."""
    error: str | None = None
    """In place of an answer: why there will never be one, though something may have been sent."""
    started_at: datetime | None = None
    """When it was sent, by the database's clock; `None` if nothing was."""
    goes_on: bool = False
    """Whether this process would send the lane's next delivery, too."""
