"""A process that serves doesn't look for garbage among what was there when it began, and elsewhere rarely."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc
from earnest.run import garbage
before = len(gc.get_objects())
garbage.look_rarely()
assert gc.get_freeze_count() > before / 2
assert len(gc.get_objects()) < before / 2
looks = gc.get_stats()[0]["collections"]
kept = [[] for _ in range(garbage.YOUNG_OBJECTS - 1_000)]
assert gc.get_stats()[0]["collections"] == looks
kept += [[] for _ in range(2_000)]
assert gc.get_stats()[0]["collections"] > looks
"""


def test_what_is_there_is_left_alone_and_what_comes_is_looked_at_rarely() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
