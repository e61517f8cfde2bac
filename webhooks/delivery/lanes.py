"""Loads the head of a lane: its first delivery that is not final, with everything that its request is made of.

It is loaded by three statements (fan-out, claim, completion), so what they select and what becomes of it stands here once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from escrow import database
from webhooks.events import examples
from webhooks.request import bodies
from webhooks.request.bodies import DeliveryMark, TextBeside


class Kind(StrEnum):
    """Why there is a delivery."""

    EVENT = "EVENT"
    """The event got its position, and the endpoint's filter let it through."""
    REPLAY = "REPLAY"
    """The owner asked for a stretch of the log."""
    REDELIVERY = "REDELIVERY"
    """The owner asked for one delivery once more."""
    TEST = "TEST"
    """The owner asked for an event that never happened."""
    LOG_CUT = "LOG_CUT"
    """The log was cut, so that the receiver may have seen events that are no more."""


class State(StrEnum):
    """How a delivery stands; all but the first are final."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    """Given up after the last retry; the next delivery of its lane says so."""
    CANCELLED = "CANCELLED"
    """Its endpoint was deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A delivery that this process has under lease."""

    endpoint_id: str
    lane: str
    delivery_id: str
    position: int
    event_id: str
    kind: Kind
    event_body: str
    texts: Mapping[str, TextBeside]
    failures: int
    """Attempts that it used up so far."""
    given_up: str | None
    """The event of the delivery before it, if that one was given up."""
    trace: str | None
    """The trace that the event came of, as its row keeps it."""
    endpoint_version: int
    """What the endpoint's facts were when it was loaded."""
    is_last: bool = False
    """Whether it was the last delivery of its lane when it was loaded, as far as that was seen."""

    def body(self, *, api_version: str) -> bytes:
        """The bytes to send, the same at each attempt."""
        mark = DeliveryMark(
            is_replay=self.kind in (Kind.REPLAY, Kind.REDELIVERY),
            previous_failed=self.given_up,
            is_test=self.kind is Kind.TEST,
            is_logged=self.kind is not Kind.LOG_CUT,
        )
        return bodies.body(
            api_version=api_version,
            position=self.position,
            event_body=self.event_body,
            texts=examples.words_of_test(self.event_body) if self.kind is Kind.TEST else self.texts,
            mark=mark,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """For how long this process may send what is under `token`, by its own monotonic clock."""

    token: UUID
    from_seconds: float
    """Just before the statement was sent that took it: the database counts from later on."""
    at: datetime
    """The database's clock at that time, a little later at most."""

    def clock(self, now_seconds: float) -> datetime:
        """The database's time at a moment of the monotonic clock: this host's own may be wrong, and receivers check it."""
        return self.at + timedelta(seconds=now_seconds - self.from_seconds)

    def allows(self, now_seconds: float, *, lease_seconds: float, request_seconds: float) -> bool:
        """Whether a request that begins now ends before the lease does.

        A worker that was paused finds it over, and sends nothing old after something newer.
        """
        return now_seconds + request_seconds <= self.from_seconds + lease_seconds


CONTENT: Final = """
CROSS JOIN LATERAL (SELECT version FROM endpoints WHERE id = {head}.endpoint_id OFFSET 0) AS endpoint
LEFT JOIN LATERAL (
    SELECT body, trace FROM events WHERE stream_id = {head}.stream_id AND id = {head}.event_id OFFSET 0) AS event ON true
LEFT JOIN LATERAL (
    SELECT array_agg(field) AS fields, array_agg(salt) AS salts, array_agg(body) AS said
    FROM texts WHERE stream_id = {head}.stream_id AND event_id = {head}.event_id OFFSET 0
) AS words ON true"""
"""Joins to a row with `endpoint_id`, `stream_id` and `event_id` what `CONTENT_COLUMNS` names; an event lies with its stream."""

CONTENT_COLUMNS: Final = (
    "coalesce({head}.body, event.body) AS event_body, event.trace, words.fields, words.salts, words.said, "
    "endpoint.version AS endpoint_version"
)


def head_of(row: database.Record, *, is_last: bool = False) -> Head:
    """A row with the columns of a lane, of its head and of its content."""
    fields = row["fields"] or ()
    texts = {
        field: TextBeside(salt, said)
        for field, salt, said in zip(fields, row["salts"] or (), row["said"] or (), strict=True)
    }
    return database.filled(Head, row, kind=Kind(row["kind"]), texts=texts, is_last=is_last)
