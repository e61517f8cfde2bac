"""Refusals wait when there are many of them, each client for itself."""

from __future__ import annotations

import pytest

from api.rates import pacing
from api.rates.pacing import AT_ONCE_MAX, PAUSE_SECONDS_MAX, REFUSALS_PER_SECOND, Pacing


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_who_is_refused_seldom_is_told_at_once() -> None:
    clock = Clock()
    paced = Pacing(clock=clock)
    for _ in range(100):
        assert paced.seconds("a") <= 0
        clock.now += 2 / REFUSALS_PER_SECOND


def test_who_never_pauses_gets_so_many_a_second_and_others_none_of_the_wait() -> None:
    clock = Clock()
    paced = Pacing(clock=clock)
    told = 0
    while clock.now < 110.0:
        clock.now += max(paced.seconds("a"), 0.0001)  # the next question comes as soon as this one is answered
        told += 1
    assert told == pytest.approx(10 * REFUSALS_PER_SECOND + AT_ONCE_MAX, abs=2)
    assert paced.seconds("b") <= 0


def test_nobody_waits_longer_than_that_however_many_ask_at_once() -> None:
    paced = Pacing(clock=Clock())
    waits = [paced.seconds("a") for _ in range(1_000)]
    assert max(waits) == PAUSE_SECONDS_MAX
    assert waits == sorted(waits)


def test_only_so_many_clients_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "CLIENTS_KEPT_MAX", 10)
    paced = Pacing()
    for number in range(100):
        paced.seconds(f"address {number}")
    assert len(paced._next) == 10
