"""A web process as an operator starts it, on a host whose clock may be wrong by so many days."""

from __future__ import annotations

import argparse

import api.app  # noqa: F401 - imported before the process is there
from earnest.commands import web
from tests.workers import skewed


def main(days: str) -> None:
    """Serve until it is killed; what `earnest web` does."""
    skewed.skew(int(days))
    web.run(argparse.Namespace())
