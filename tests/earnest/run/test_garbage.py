"""A process that serves doesn't look for garbage among what was there when it began, elsewhere rarely, and never among much."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref

import pytest

from earnest.run.garbage import LOOKS_MAX, LOOKS_UNTIL_REST, Garbage

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
assert 0 < most <= 70_000, most
"""


def test_what_is_there_is_left_alone_what_comes_is_looked_at_rarely_and_never_much_of_it() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)


class Circle:
    """Garbage that only a look finds, once it is let go of."""

    def __init__(self) -> None:
        self.itself = self


class Processor:
    """How much of it was used, as a test says."""

    used = 0.0

    def __call__(self) -> float:
        return self.used


def _looked(looking: Garbage, times: int) -> None:
    for _ in range(times):
        looking._looked("stop", {"generation": 2})


@pytest.mark.parametrize(("share", "looks"), [(0.01, LOOKS_UNTIL_REST), (0.9, LOOKS_MAX)])
def test_what_was_put_aside_is_looked_at_once_the_process_rests_or_has_worked_for_long(
    share: float, looks: int
) -> None:
    processor = Processor()
    looking = Garbage(used_seconds=processor)
    try:
        circle = Circle()
        gone = weakref.ref(circle)
        _looked(looking, looks - 1)  # it is put aside
        del circle
        gc.collect()
        processor.used += share
        looking.consider(1.0)
        assert gone() is not None
        _looked(looking, 1)
        processor.used += share
        looking.consider(1.0)
        assert gone() is None
        assert looking.looks == 0
    finally:
        gc.unfreeze()
