"""Queues what waits to be written down, in batches, and keeps a poison one from standing in the others' way. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from webhooks.delivery.concurrency import Slot
from webhooks.delivery.lanes import Head, Lease
from webhooks.delivery.retries import Verdict
from webhooks.request.answers import Answer

BATCH_MAX: Final = 250
"""What one statement takes: enough for few statements a delivery, few enough to hold no lock for long."""


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


class CompletionQueue:
    """What is done and not written down, the first first."""

    def __init__(self) -> None:
        self._waiting: deque[Completed] = deque()
        self._suspected: deque[Completed] = deque()
        """Of a batch that was refused: these go one by one, before all others."""

    def __bool__(self) -> bool:
        return bool(self._waiting or self._suspected)

    def add(self, done: Completed) -> None:
        """One more that is done."""
        self._waiting.append(done)

    def take(self) -> list[Completed]:
        """The next batch: never two answers to one delivery, of which one came too late."""
        if self._suspected:
            return [self._suspected.popleft()]
        batch: dict[str, Completed] = {}
        rest: list[Completed] = []
        while self._waiting and len(batch) < BATCH_MAX:
            one = self._waiting.popleft()
            if batch.setdefault(one.head.delivery_id, one) is not one:
                rest.append(one)
        self._waiting.extendleft(reversed(rest))
        return list(batch.values())

    def put_back(self, batch: Sequence[Completed]) -> None:
        """The batch was not written, and is not to blame."""
        self._waiting.extend(batch)

    def refuse(self, batch: Sequence[Completed]) -> Completed | None:
        """The database refuses something in the batch, and would for ever: one by one it is found.

        Answers the one that is given up, once it is found.
        """
        if len(batch) == 1:
            return batch[0]
        self._suspected.extend(batch)
        return None
