"""Decides what an answer means for a delivery: done, tried again later, or given up (a dead letter). Pure: chance is handed in.

A failure uses up an attempt only where it tells something of the receiver. What keeps us from asking it at all (a name that
doesn't resolve may be our own resolver's fault) waits and uses up none; five days of that disable the endpoint all the same.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from webhooks.request.answers import Answer, ErrorClass

_MINUTE: Final = 60.0
_HOUR: Final = 60 * _MINUTE

DELAYS_SECONDS: Final = (5.0, 5 * _MINUTE, *(hours * _HOUR for hours in (0.5, 2, 5, 10, 14, 20, 24)))
"""Between an attempt and the next; after as many retries a delivery is given up."""

JITTER: Final = 0.2
"""Delays are longer or shorter by up to this part, so that what failed together doesn't come back together."""

BUSY_SECONDS_MIN: Final = 60.0
"""A receiver that is too slow, throttles, or hides behind a broken gateway is left alone for at least so long."""

RETRY_AFTER_SECONDS_MAX: Final = 24 * _HOUR
"""No receiver may put a delivery off for longer."""

PAUSE_SECONDS_MAX: Final = _HOUR
"""No receiver may put off everything else for longer."""

_BUSY_STATUSES: Final = frozenset({429, 502, 504})
_PAUSING_STATUSES: Final = frozenset({429, 503})
_GONE: Final = 410
_NOT_THE_RECEIVERS: Final = frozenset({ErrorClass.DNS_FAILED})


class Outcome(StrEnum):
    """What becomes of a delivery after an attempt."""

    DELIVERED = "DELIVERED"
    GIVEN_UP = "GIVEN_UP"
    RETRY = "RETRY"
    """Tried again; this attempt is used up."""
    WAIT = "WAIT"
    """Tried again; no attempt is used up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an answer means, for the delivery and for its endpoint."""

    outcome: Outcome
    delay_seconds: float = 0.0
    """Until the next attempt, if there is one."""
    pause_seconds: float = 0.0
    """The receiver asked to be left alone for so long, by all deliveries."""
    has_timed_out: bool = False
    is_gone: bool = False
    """The receiver says that there is nothing any more and never will be."""


def judge(answer: Answer, *, failures: int, rng: random.Random) -> Verdict:
    """What follows from an answer to a delivery that used up `failures` attempts before it."""
    if answer.is_success:
        return Verdict(outcome=Outcome.DELIVERED)
    timed_out = answer.error is ErrorClass.TIMEOUT
    if answer.status == _GONE:
        # The endpoint is about to be disabled; the delivery waits for it to be enabled, as all others do.
        return Verdict(outcome=Outcome.WAIT, delay_seconds=_delay(0, answer, rng), is_gone=True)
    if answer.error in _NOT_THE_RECEIVERS:
        return Verdict(outcome=Outcome.WAIT, delay_seconds=max(BUSY_SECONDS_MIN, _delay(0, answer, rng)))
    if failures >= len(DELAYS_SECONDS):
        return Verdict(outcome=Outcome.GIVEN_UP, has_timed_out=timed_out)
    return Verdict(
        outcome=Outcome.RETRY,
        delay_seconds=_delay(failures, answer, rng),
        pause_seconds=_pause(answer),
        has_timed_out=timed_out,
    )


def _delay(failures: int, answer: Answer, rng: random.Random) -> float:
    delay = DELAYS_SECONDS[failures] * rng.uniform(1 - JITTER, 1 + JITTER)
    if answer.error is ErrorClass.TIMEOUT or answer.status in _BUSY_STATUSES:
        delay = max(delay, BUSY_SECONDS_MIN)
    return max(delay, min(answer.retry_after_seconds or 0.0, RETRY_AFTER_SECONDS_MAX))


def _pause(answer: Answer) -> float:
    if answer.status not in _PAUSING_STATUSES:
        return 0.0
    return min(answer.retry_after_seconds or 0.0, PAUSE_SECONDS_MAX)
