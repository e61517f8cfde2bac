"""The schedule of retries, and what each answer means for a delivery."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from webhooks.delivery.retries import (
    BUSY_SECONDS_MIN,
    DELAYS_SECONDS,
    JITTER,
    PAUSE_SECONDS_MAX,
    RETRY_AFTER_SECONDS_MAX,
    Outcome,
    Verdict,
    judge,
)
from webhooks.request.answers import Answer, ErrorClass

HOUR = 3600


def answer(status: int | None = None, error: ErrorClass | None = None, retry_after: float | None = None) -> Answer:
    return Answer(
        status=status, error=error, started_at=datetime.now(UTC), total_ms=1.0, retry_after_seconds=retry_after
    )


def judged(given: Answer, failures: int = 0, seed: int = 1) -> Verdict:
    return judge(given, failures=failures, rng=random.Random(seed))


def test_the_schedule_is_that_of_the_manual() -> None:
    assert DELAYS_SECONDS == (5, 300, 1800, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)


@pytest.mark.parametrize("failures", range(len(DELAYS_SECONDS)))
def test_each_failure_waits_for_its_time_give_or_take_a_fifth(failures: int) -> None:
    verdicts = [judged(answer(500), failures, seed) for seed in range(200)]
    delays = [verdict.delay_seconds for verdict in verdicts]
    assert {verdict.outcome for verdict in verdicts} == {Outcome.RETRY}
    low, high = DELAYS_SECONDS[failures] * (1 - JITTER), DELAYS_SECONDS[failures] * (1 + JITTER)
    assert low <= min(delays) < DELAYS_SECONDS[failures] < max(delays) <= high
    assert len(set(delays)) > 100


@pytest.mark.parametrize("given", [answer(500), answer(error=ErrorClass.TIMEOUT), answer(429, retry_after=9.0)])
def test_after_the_last_retry_it_is_given_up(given: Answer) -> None:
    assert judged(given, len(DELAYS_SECONDS) - 1).outcome is Outcome.RETRY
    assert judged(given, len(DELAYS_SECONDS)).outcome is Outcome.GIVEN_UP


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_2xx_is_success(status: int) -> None:
    assert judged(answer(status)) == Verdict(outcome=Outcome.DELIVERED)


@pytest.mark.parametrize("status", [100, 199, 300, 301, 302, 308, 400, 401, 404, 500, 503])
def test_anything_else_is_a_failure(status: int) -> None:
    assert judged(answer(status)).outcome is Outcome.RETRY


def test_a_status_whose_body_never_came_whole_is_a_failure() -> None:
    assert judged(answer(200, ErrorClass.DISCONNECTED)).outcome is Outcome.RETRY


@pytest.mark.parametrize(
    "given", [answer(429), answer(502), answer(504), answer(error=ErrorClass.TIMEOUT), answer(200, ErrorClass.TIMEOUT)]
)
def test_a_receiver_in_distress_is_left_alone_for_a_minute(given: Answer) -> None:
    assert judged(given).delay_seconds == BUSY_SECONDS_MIN
    assert judged(given, 1).delay_seconds > BUSY_SECONDS_MIN


def test_retry_after_is_waited_for_within_bounds() -> None:
    assert judged(answer(503, retry_after=1000.0)).delay_seconds == 1000
    assert judged(answer(503, retry_after=0.0)).delay_seconds < 6.1
    assert judged(answer(503, retry_after=1e9)).delay_seconds == RETRY_AFTER_SECONDS_MAX
    assert judged(answer(429, retry_after=1.0)).delay_seconds == BUSY_SECONDS_MIN
    assert judged(answer(500, retry_after=1.0), 5).delay_seconds >= 8 * HOUR, "it shortens nothing"


def test_a_throttling_receiver_is_left_alone_by_everything_for_an_hour_at_most() -> None:
    assert judged(answer(429, retry_after=30.0)).pause_seconds == 30
    assert judged(answer(503, retry_after=1e9)).pause_seconds == PAUSE_SECONDS_MAX
    assert judged(answer(500, retry_after=30.0)).pause_seconds == 0


@pytest.mark.parametrize("failures", [0, len(DELAYS_SECONDS)])
def test_gone_gives_nothing_up(failures: int) -> None:
    verdict = judged(answer(410), failures)
    assert verdict.is_gone
    assert verdict.outcome is Outcome.WAIT


@pytest.mark.parametrize("failures", [0, len(DELAYS_SECONDS)])
def test_a_name_that_does_not_resolve_uses_up_no_attempt(failures: int) -> None:
    verdict = judged(answer(error=ErrorClass.DNS_FAILED), failures)
    assert (verdict.outcome, verdict.delay_seconds) == (Outcome.WAIT, BUSY_SECONDS_MIN)
