"""Sends one delivery: signs it with what is known of its endpoint, posts it under its lane's lease, and says what came of it."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

import orjson

from escrow import traces
from webhooks.delivery.completion_queue import Completed
from webhooks.delivery.concurrency import Slot
from webhooks.delivery.lanes import Head, Lease
from webhooks.delivery.retries import Outcome, Verdict, judge
from webhooks.request import signing
from webhooks.request.answers import Answer, ErrorClass
from webhooks.request.endpoints import Endpoint
from webhooks.request.sender import TOTAL_SECONDS

OWN_FAULT_SECONDS: Final = 60.0
"""What fails for a reason of ours is tried again after so long, and uses up no attempt."""

_log = logging.getLogger(__name__)


class Poster(Protocol):
    """Whoever sends a request: `webhooks.request.sender.Sender`."""

    async def post(self, *, url: str, headers: dict[str, str], body: bytes) -> Answer:
        """What came of it; only cancelling raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long things last at most."""

    lease_seconds: float = 30.0
    """How late a delivery is at most whose worker was killed in mid-request. A request begins only if it ends before."""
    request_seconds: float = TOTAL_SECONDS
    poll_seconds: float = 0.25
    """How late something due is noticed at most when no ring came through."""


@dataclass(frozen=True, slots=True)
class Flight:
    """A delivery that this process is at."""

    head: Head
    lease: Lease
    slot: Slot

    def completed(self, verdict: Verdict, **facts: Any) -> Completed:
        """What came of it."""
        return Completed(head=self.head, lease=self.lease, slot=self.slot, verdict=verdict, **facts)

    def given_back(self, delay_seconds: float = 0.0, **facts: Any) -> Completed:
        """No answer came, and no attempt is used up."""
        return self.completed(Verdict(outcome=Outcome.WAIT, delay_seconds=delay_seconds), **facts)


async def send(
    flight: Flight, endpoint: Endpoint | None, *, sender: Poster, timing: Timing, rng: random.Random
) -> Completed:
    """Send it, unless it can't be or comes too late; cancelled in the middle of it, it says so and ends at once."""
    at = flight.lease.clock(time.monotonic())
    request = _request(flight.head, endpoint, at)
    if request is None:
        return flight.given_back(OWN_FAULT_SECONDS)
    # Nothing between this look and the request: a worker that was paused for long must not send what is old by now.
    if not flight.lease.allows(
        time.monotonic(), lease_seconds=timing.lease_seconds, request_seconds=timing.request_seconds
    ):
        return flight.given_back()
    try:
        answer = await sender.post(url=request.url, headers=request.headers, body=request.body)
    except asyncio.CancelledError:
        return flight.given_back(error=ErrorClass.INTERRUPTED, started_at=at)
    except Exception:  # noqa: BLE001 - a fault of ours is handed back like everything else
        _log.exception("delivery interrupted, tried again later")
        return flight.given_back(OWN_FAULT_SECONDS, error=ErrorClass.INTERRUPTED, started_at=at)
    verdict = judge(answer, failures=flight.head.failures, rng=rng)
    return flight.completed(verdict, answer=answer, started_at=at)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    url: str
    headers: dict[str, str]
    body: bytes


def _request(head: Head, endpoint: Endpoint | None, at: datetime) -> _Request | None:
    """What to send; `None` if that is beyond this process, which must not stand in the way of other deliveries."""
    if endpoint is None or not endpoint.keys:
        return None
    try:
        body = head.body(api_version=endpoint.api_version)
        headers = signing.sign(endpoint.keys, message_id=head.event_id, timestamp=int(at.timestamp()), body=body)
        headers |= _traced(head, endpoint)
    except Exception:  # noqa: BLE001 - one delivery must not stand in the others' way
        _log.exception("delivery not sent, tried again later")
        return None
    return _Request(url=endpoint.url, headers=headers, body=body)


def _traced(head: Head, endpoint: Endpoint) -> dict[str, str]:
    """The headers of its trace. What a caller's recorders keep beside it goes back to the caller alone, and to nobody else."""
    trace = traces.current()
    if trace.state is None or orjson.loads(head.event_body)["actor"].get("account") != endpoint.account_id:
        return trace._replace(state=None).headers()
    return trace.headers()
