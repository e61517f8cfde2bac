"""Reads what stands behind a command's options; what can't be meant is told with what would be right."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

from escrow.environment import whole_number


def whole(least: int, most: int) -> Callable[[str], int]:
    """Takes a whole number from `least` to `most`."""

    def number(text: str) -> int:
        found = whole_number(text, least, most)
        if found is None:
            raise argparse.ArgumentTypeError(f"“{text}” is no whole number from {least} to {most}")
        return found

    return number


def moment(text: str) -> datetime:
    """A date or a time of ISO 8601, in UTC; without a zone it is UTC."""
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):  # the zone may lead out of the years that there are
        raise argparse.ArgumentTypeError(f"“{text}” is no time such as 2026-11-29 or 2026-11-29T08:00:00Z") from None


def day(text: str) -> date:
    """A date of ISO 8601."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"“{text}” is no day such as 2026-11-29") from None


def folder(text: str) -> Path:
    """A folder's path. An empty one is that of a variable that isn't set, and would mean wherever the command was begun."""
    if not text.strip():
        raise argparse.ArgumentTypeError("no folder is named: is a variable empty?")
    return Path(text)


def identifier(text: str) -> str:
    """What something is called by us: ctr_…, sha256:…; what is no text, as a broken paste is, can't be looked for."""
    if not (text and text.isprintable()):
        raise argparse.ArgumentTypeError(f"{text!a} names nothing that there can be")
    return text
