"""A process that serves doesn't look for garbage among what was there when it began, elsewhere rarely, and never among much."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref

import pytest

from earnest.run.garbage import GROWN_AT_REST, GROWN_MAX, Garbage

PROGRAM = """
import gc
from earnest.run import garbage
before = len(gc.get_objects())
looking = garbage.look_rarely()
assert gc.get_freeze_count() > before / 2
assert len(gc.get_objects()) < before / 2
looks = gc.get_stats()[0]["collections"]
kept = [[] for _ in range(garbage.YOUNG_OBJECTS - 1_000)]
assert gc.get_stats()[0]["collections"] == looks
kept += [[] for _ in range(2_000)]
assert gc.get_stats()[0]["collections"] > looks

most = 0
def looked(phase, info):
    global most
    if phase == "start":
        most = max(most, sum(len(gc.get_objects(generation=one)) for one in range(info["generation"] + 1)))
gc.callbacks.append(looked)
for _ in range(100):  # a million and a half of objects that stay
    kept += [[] for _ in range(15_000)]
assert looking.looks > 10
assert 0 < most <= 40_000, most
"""


def test_what_is_there_is_left_alone_what_comes_is_looked_at_rarely_and_never_much_of_it() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)


class Circle:
    """Garbage that only a look finds, once it is let go of."""

    def __init__(self) -> None:
        self.itself = self


class Process:
    """How much of a processor it used, and how much memory it has, as a test says."""

    used, pieces = 0.0, 0


@pytest.mark.parametrize(("share", "grown"), [(0.01, GROWN_AT_REST), (0.9, GROWN_MAX)])
def test_what_was_put_aside_is_looked_at_once_the_process_has_grown_sooner_if_it_rests(
    share: float, grown: int
) -> None:
    process = Process()
    looking = Garbage(used_seconds=lambda: process.used, pieces=lambda: process.pieces)
    try:
        circle = Circle()
        gone = weakref.ref(circle)
        looking._looked("stop", {"generation": 2})  # it is put aside
        del circle
        gc.collect()
        process.used, process.pieces = share, grown
        looking.consider(1.0)
        assert gone() is not None
        process.used, process.pieces = 2 * share, grown + 1
        looking.consider(1.0)
        assert gone() is None
        process.used = 2 * share
        kept = Circle()
        still = weakref.ref(kept)
        looking._looked("stop", {"generation": 2})
        del kept
        looking.consider(1.0)
        assert still() is not None, "it hasn't grown since"
    finally:
        gc.unfreeze()
        gc.collect()
