"""Asks what is known against the versions in the lock, by `pip-audit`: PyPI's own data, and OSV's where that isn't to be had.

A source that answers about nothing was not asked: an index that only hands out files knows no package's story, and saying so
is what tells an all-clear from silence.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SOURCES: Final = ("pypi", "osv")
ANSWER_SECONDS: Final = 10
PATIENCE_SECONDS: Final = 600


@dataclass(frozen=True, slots=True)
class Known:
    """What came of asking."""

    source: str | None
    """Who answered; `None` if nobody did."""
    looked_up: int = 0
    found: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    """Packages that the source knows nothing of."""
    too_old: bool = False
    """Whether the source has not been renewed for so long that its silence says nothing."""

    @property
    def was_asked(self) -> bool:
        """Whether an answer about every package came, by somebody who knows what is known today."""
        return self.source is not None and not self.unknown and not self.too_old

    def lines(self) -> list[str]:
        """For people."""
        if self.source is None:
            return [
                "Vulnerabilities: NOT ASKED. No source can be reached from here; run this elsewhere, or give --advisories."
            ]
        missing = [f"  nothing is told of {', '.join(self.unknown)}"] if self.unknown else []
        if self.too_old:
            missing.append("  the source is too old for an all-clear")
        return [
            f"Vulnerabilities: {len(self.found)} are known in {self.looked_up} packages, by {self.source}.",
            *(f"  {one}" for one in self.found),
            *missing,
        ]


def ask(tools: Path, lock: Path, sources: Sequence[str] = SOURCES) -> Known:
    """The first source's answer that is one."""
    for source in sources:
        known = read(source, _said(tools, lock, source))
        if known.source is not None:
            return known
    return Known(None)


def _said(tools: Path, lock: Path, source: str) -> str:
    program = [str(tools / "bin" / "pip-audit"), "--requirement", str(lock), "--vulnerability-service", source]
    options = [
        "--disable-pip",
        "--require-hashes",
        "--format",
        "json",
        "--progress-spinner",
        "off",
        "--timeout",
        str(ANSWER_SECONDS),
    ]
    try:
        asked = subprocess.run(
            [*program, *options], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return ""
    return asked.stdout


def read(source: str, said: str) -> Known:
    """What `pip-audit` says, as JSON; anything else, and an answer about no package at all, is nobody's answer."""
    try:
        told: list[dict[str, Any]] = json.loads(said)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return Known(None)
    unknown = tuple(one["name"] for one in told if "skip_reason" in one)
    looked_up = len(told) - len(unknown)
    if not looked_up:
        return Known(None)
    found = tuple(
        f"{one['name']} {one['version']}: {bad['id']}, mended in {', '.join(bad['fix_versions']) or 'no version yet'}"
        for one in told
        for bad in one.get("vulns", ())
    )
    return Known(source, looked_up, found, unknown)
