"""Counts and measures what this process does, for whoever asks: Prometheus by a scrape, OpenTelemetry by its exporter.

A meter stands in the module whose work it measures. Adding to one is a look-up and an addition, without a lock: the interpreter
changes threads at calls and backward jumps alone, and between reading and writing a value there is neither (`dict.get` would be a
call, and so would the missing keys of `collections.Counter`). What stands in the database isn't counted here but read when asked
for.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

Labels = tuple[str, ...]

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds for what takes between a statement's time and a call's."""


class Kind(StrEnum):
    """What a figure's values are, in the words of Prometheus."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Value(NamedTuple):
    """One value of a figure; `suffix` tells the parts of a histogram."""

    labels: Sequence[tuple[str, str]]
    value: float
    suffix: str = ""


class Figure(NamedTuple):
    """What a meter shows at one moment."""

    name: str
    kind: Kind
    said: str
    values: Sequence[Value]


class Meter:
    """What all kinds have in common. Its name says the unit last and nothing of `_total`."""

    kind: Kind

    def __init__(self, name: str, said: str, *labels: str) -> None:
        self.name: Final = name
        self.said: Final = said
        self._names: Final = labels
        _meters[name] = self

    def figure(self) -> Figure:
        """Its values now."""
        return Figure(self.name, self.kind, self.said, list(self._values()))

    def _values(self) -> Iterator[Value]:
        raise NotImplementedError

    def _named(self, labels: Labels) -> list[tuple[str, str]]:
        return list(zip(self._names, labels, strict=True))


class Counter(Meter):
    """How often something happened."""

    kind = Kind.COUNTER

    def __init__(self, name: str, said: str, *labels: str) -> None:
        super().__init__(name, said, *labels)
        self._counts: dict[Labels, list[float]] = {} if labels else {(): [0.0]}

    def add(self, *labels: str, by: float = 1.0) -> None:
        """It happened; the labels in their order."""
        known = self._counts.get(labels)
        if known is None:
            known = self._counts.setdefault(labels, [0.0])
        known[0] += by

    def _values(self) -> Iterator[Value]:
        for labels, (count,) in list(self._counts.items()):
            yield Value(self._named(labels), count)


class Gauge(Meter):
    """How much there is now, by whoever knows it: labels and value, asked for when the figure is."""

    kind = Kind.GAUGE

    def __init__(self, name: str, said: str, *labels: str, read: Callable[[], Iterable[tuple[Labels, float]]]) -> None:
        super().__init__(name, said, *labels)
        self._read = read

    def _values(self) -> Iterator[Value]:
        for labels, value in self._read():
            yield Value(self._named(labels), value)


class Histogram(Meter):
    """How long things took, in seconds: so many each up to every bound, all together, and their sum."""

    kind = Kind.HISTOGRAM

    def __init__(self, name: str, said: str, *labels: str, bounds: Sequence[float] = SECONDS) -> None:
        super().__init__(name, said, *labels)
        self._bounds: Final = tuple(bounds)
        self._known: dict[Labels, list[float]] = {}

    def observe(self, seconds: float, *labels: str) -> None:
        """One more, with its labels in their order."""
        known = self._known.get(labels)
        if known is None:  # a place for each bound, one for what is beyond, and the sum
            known = self._known.setdefault(labels, [0.0] * (len(self._bounds) + 2))
        known[bisect_left(self._bounds, seconds)] += 1
        known[-1] += seconds

    def _values(self) -> Iterator[Value]:
        for labels, known in list(self._known.items()):
            *counts, total = known
            named, count = self._named(labels), 0.0
            for bound, more in zip((*map(str, self._bounds), "+Inf"), counts, strict=True):
                count += more
                yield Value([*named, ("le", bound)], count, "_bucket")
            yield Value(named, count, "_count")
            yield Value(named, total, "_sum")


_meters: Final[dict[str, Meter]] = {}


def figures() -> list[Figure]:
    """What every meter of this process shows now."""
    return [meter.figure() for meter in list(_meters.values())]


def gauge(name: str, said: str, *values: tuple[Sequence[tuple[str, str]], float]) -> Figure:
    """A figure that somebody read elsewhere: labels with their names, and the value."""
    return Figure(name, Kind.GAUGE, said, [Value(labels, value) for labels, value in values])


def one(name: str, said: str, value: float) -> Figure:
    """The same of a single value."""
    return gauge(name, said, ((), value))


def counted(name: str, said: str, label: str, counts: Iterable[tuple[str, float]]) -> Figure:
    """A counter that somebody else keeps, by the values of one label."""
    return Figure(name, Kind.COUNTER, said, [Value([(label, value)], count) for value, count in counts])


CACHES: Final = Counter(
    "earnest_cache_lookups",
    "Looks at what this process remembers, by whether it was there: hit, miss",
    "cache",
    "outcome",
)
