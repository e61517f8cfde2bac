"""Meters: what they show is what was counted, in any thread, and Prometheus reads it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from escrow import exposition, meters
from escrow.meters import Counter, Gauge, Histogram


@pytest.fixture(autouse=True)
def _others_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meters, "_meters", {})


def shown() -> dict[str, float]:
    """The samples of the page, with their labels."""
    return {
        " ".join((sample.name, *sample.labels.values())): sample.value
        for family in text_string_to_metric_families(exposition.text(meters.figures()).decode())
        for sample in family.samples
        if not sample.name.startswith("process_")
    }


def test_a_counter_counts_by_its_labels() -> None:
    plain, labelled = Counter("x", "x"), Counter("y", "y", "a", "b")
    labelled.add("1", "2")
    labelled.add("1", "2", by=2.5)
    labelled.add("1", "3")
    assert shown() == {"x_total": 0, "y_total 1 2": 3.5, "y_total 1 3": 1}
    plain.add()
    assert shown()["x_total"] == 1


def test_a_histogram_counts_up_to_each_bound_and_beyond() -> None:
    seconds = Histogram("x_seconds", "x", "a", bounds=(0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7.0):
        seconds.observe(value, "1")
    buckets = {"x_seconds_bucket 1 0.1": 2, "x_seconds_bucket 1 1.0": 3, "x_seconds_bucket 1 +Inf": 4}
    assert shown() == buckets | {"x_seconds_count 1": 4, "x_seconds_sum 1": pytest.approx(7.65)}


def test_a_gauge_is_read_when_it_is_asked_for() -> None:
    values = [1.0]

    def read() -> Iterator[tuple[tuple[str, ...], float]]:
        yield ("now",), values[0]

    Gauge("x", "x", "when", read=read)
    assert shown() == {"x now": 1}
    values[0] = 2.0
    assert shown() == {"x now": 2}


def test_threads_lose_no_count() -> None:
    counter, seconds = Counter("x", "x", "a"), Histogram("y", "y", bounds=(1.0,))

    def count() -> None:
        for _ in range(20_000):
            counter.add("1")
            seconds.observe(0.5)

    threads = [threading.Thread(target=count) for _ in range(4)]
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(usual)
    found = shown()
    assert (found["x_total 1"], found["y_count"]) == (80_000, 80_000)
