"""Reads npm's locks, which tell versions, licences and hashes, and asks npm's registry what is known against them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.parts.vulnerabilities import PATIENCE_SECONDS, Known

ROOT: Final = Path(__file__).parents[2]
HANDED_ON: Final = "clients/typescript"
"""What users get from us; the others are run by tests alone."""


@dataclass(frozen=True, slots=True)
class Package:
    """A package of npm's as a lock has it."""

    name: str
    version: str
    licence: str | None
    integrity: str
    """`sha512-…`, in base64; empty if the lock tells none."""
    is_handed_on: bool
    """Whether users install it with what we hand on; else it builds or tests something."""


def locks() -> list[Path]:
    """Every lock of npm's in the checkout."""
    found = (*ROOT.glob("clients/*/package-lock.json"), *ROOT.glob("tests/**/package-lock.json"))
    return sorted(path for path in found if "node_modules" not in path.parts)


def read_locks() -> list[Package]:
    """The packages of all locks, each version once."""
    found: dict[tuple[str, str], Package] = {}
    for path in locks():
        for place, told in json.loads(path.read_text())["packages"].items():
            if not place or told.get("link"):
                continue
            is_handed_on = path.parent == ROOT / HANDED_ON and not told.get("dev")
            one = Package(
                told.get("name") or place.rpartition("node_modules/")[2],
                told["version"],
                told.get("license"),
                told.get("integrity", ""),
                is_handed_on,
            )
            known = found.get((one.name, one.version))
            if known is None or is_handed_on:
                found[one.name, one.version] = one
    return sorted(found.values(), key=lambda one: (one.name, one.version))


def ask(folders: Sequence[Path]) -> Known:
    """What npm's registry knows against the locks in these folders; nobody's answer unless all were answered."""
    answers = [read(_said(folder), folder) for folder in folders]
    if any(one.source is None for one in answers):
        return Known(None)
    found = sorted({line for one in answers for line in one.found})
    return Known("npm", sum(one.looked_up for one in answers), tuple(found))


def _said(folder: Path) -> str:
    command = ["npm", "audit", "--json", "--package-lock-only"]
    try:
        asked = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout


def read(said: str, folder: Path) -> Known:
    """What `npm audit` says, as JSON; anything else is nobody's answer."""
    try:
        told: Mapping[str, Any] = json.loads(said)
        looked_up = told["metadata"]["dependencies"]["total"]
        found = tuple(
            f"{name} {one['range']} ({folder.name}): {bad['url']}, {bad['title']}"
            for name, one in told["vulnerabilities"].items()
            for bad in one["via"]
            if isinstance(bad, dict)
        )
    except (ValueError, KeyError, TypeError):
        return Known(None)
    return Known("npm", looked_up, found)
