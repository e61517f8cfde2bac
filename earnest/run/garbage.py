"""Says how often a process that runs for long looks for garbage in circles.

Python looks again after every 700 objects that stay, however many wait at once: of a process with a thousand subscribers that
took two fifths of its time. Nearly all that we let go of is in no circle and is freed at once, without any looking.
"""

from __future__ import annotations

import gc
from typing import Final

YOUNG_OBJECTS: Final = 5_000
"""How many new objects make it look among them. Nothing else runs meanwhile: this many take 1 to 2 ms."""

LOOKS_BEFORE_OLDER: Final = 10
"""How many looks among the young make one among those that stayed, which takes 10 ms then, and how many of those one among
all."""


def look_rarely() -> None:
    """From now on; what is there now, modules and the schema above all, is never looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, LOOKS_BEFORE_OLDER, LOOKS_BEFORE_OLDER)
