"""How often the web process is killed under pages that follow what happens, and what they may have to say to that."""

from __future__ import annotations

import os
import sys
from typing import Final

KILLS: Final = int(os.environ.get("EARNEST_KILLS", "20"))
"""`EARNEST_KILLS=50 make browser ARGS="-s -k killed"` is the long run."""


def told(page: str, shown: list[int], last: int) -> None:
    """Say what a page that was killed under showed of events 1 to `last`, in whatever order, and hold it to that."""
    first = min(shown)
    missing = set(range(first, last + 1)) - set(shown)
    doubled = len(shown) - len(set(shown))
    sys.stderr.write(f"\n{page}: {KILLS} kills, {len(shown)} events, {len(missing)} missing, {doubled} twice\n")
    assert (sorted(missing), doubled) == ([], 0)
