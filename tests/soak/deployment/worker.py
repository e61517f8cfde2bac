"""A worker as an operator starts it, on a host whose clock may be wrong by so many days."""

from __future__ import annotations

from tests.soak import working
from tests.workers import skewed


def main(days: str) -> None:
    """Work until it is killed; what `earnest worker` does."""
    skewed.skew(int(days))
    working.main("")
