"""A process of the command line whose imports are done: `earnest` with these words, and its exit code."""

import sys

import api.app  # noqa: F401 - imported before the process is there
from earnest.cli import main as earnest


def main(line: str) -> None:
    """Do what `earnest` does with the words of the line."""
    sys.exit(earnest(line.split()))
