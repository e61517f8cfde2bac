"""Writes figures as Prometheus reads them, with what the operating system says of the process."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from escrow.meters import Figure, Kind

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST


class _Snapshot(Collector):
    """The figures of one moment."""

    def __init__(self, figures: Iterable[Figure]) -> None:
        self._figures = figures

    def collect(self) -> Iterable[Metric]:
        return map(_metric, self._figures)


def text(figures: Iterable[Figure]) -> bytes:
    """A page of `CONTENT_TYPE`."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(figures))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


def _metric(figure: Figure) -> Metric:
    metric = Metric(figure.name, figure.said, figure.kind.value)
    total = "_total" if figure.kind is Kind.COUNTER else ""
    for value in figure.values:
        metric.add_sample(figure.name + (value.suffix or total), dict(value.labels), value.value)
    return metric
