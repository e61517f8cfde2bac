"""How much chance plays: for minutes in every run, and for hours with `HYPOTHESIS_PROFILE=deep` (docs/decisions/0183, 0198)."""

import os
from typing import Final

IS_DEEP: Final = os.environ.get("HYPOTHESIS_PROFILE") == "deep"


def often(by_default: int, *, deep: int) -> int:
    """How often something is played in this run."""
    return deep if IS_DEEP else by_default
