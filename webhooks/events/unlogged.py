"""What is sent to endpoints and stands in no log: tests, and that the log itself was cut.

It looks like an event of the endpoint's account with the sequence 0, which no event of a log has, and is part of no chain.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Final

from escrow.agreement.events import Event


class EndpointTest(Event):
    """Somebody asked for a test of the endpoint: nothing happened, and this stands in no log."""

    type: ClassVar = "endpoint.test"


class LogCut(Event):
    """The log was restored to an earlier moment, or a standby went on without the newest events: every event with a cursor
    between the two never happened, unless it comes with a later one, too: then its place was lost, and it was kept. This comes to
    every endpoint, whatever its filter is, and stands in no log."""

    type: ClassVar = "log.cut"

    kept_cursor: str
    first_cursor: str
    kept_at: datetime | None


UNLOGGED: Final[Mapping[str, type[Event]]] = {one.type: one for one in (EndpointTest, LogCut)}
"""By their types."""
