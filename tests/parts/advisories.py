"""Compares versions with a folder of advisories in the format of OSV (JSON or YAML), for where no registry tells what is known.

`https://github.com/pypa/advisory-database` is such a folder, and so is what OSV hands out as a whole. How old the folder is, is
told by its newest record: an old one is no all-clear.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import yaml
from packaging.version import InvalidVersion, Version

from tests.parts.locked import normal
from tests.parts.vulnerabilities import Known

FRESH: Final = timedelta(days=7)

Parts = Mapping[tuple[str, str], frozenset[str]]
"""Versions by ecosystem ("PyPI", "npm") and name."""


def compare(folder: Path, parts: Parts, *, now: datetime) -> Known:
    """What the records of the folder say against these parts."""
    newest = datetime.min.replace(tzinfo=UTC)
    found: list[str] = []
    for record in records(folder):
        newest = max(newest, _moment(record["modified"]))
        if "withdrawn" not in record:
            found += _against(record, parts)
    count = sum(len(versions) for versions in parts.values())
    source = f"{folder.name} of {newest:%Y-%m-%d}"
    if newest < now - FRESH:
        return Known(source, count, tuple(sorted(found)), too_old=True)
    return Known(source, count, tuple(sorted(found)))


def records(folder: Path) -> Iterator[Mapping[str, Any]]:
    """All advisories below the folder."""
    for path in sorted(folder.rglob("*")):
        told = None
        if path.suffix == ".json":
            told = json.loads(path.read_text())
        elif path.suffix in (".yaml", ".yml"):
            told = yaml.safe_load(path.read_text())
        if isinstance(told, dict) and {"id", "affected", "modified"} <= told.keys():
            yield told


def _moment(told: str | datetime) -> datetime:
    """YAML has moments of its own; what says no zone is UTC."""
    moment = told if isinstance(told, datetime) else datetime.fromisoformat(told)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _against(record: Mapping[str, Any], parts: Parts) -> Iterator[str]:
    for affected in record["affected"]:
        package = affected.get("package", {})
        ecosystem, name = package.get("ecosystem", ""), package.get("name", "")
        key = (ecosystem, normal(name) if ecosystem == "PyPI" else name)
        for version in sorted(parts.get(key, ())):
            if is_affected(affected, version):
                yield f"{key[1]} {version}: {record['id']}"


def is_affected(affected: Mapping[str, Any], version: str) -> bool:
    """Whether a version is listed, or lies in one of the ranges; one that can't be compared is taken for affected."""
    if version in affected.get("versions", ()):
        return True
    ranges = [one["events"] for one in affected.get("ranges", ()) if one["type"] in ("ECOSYSTEM", "SEMVER")]
    try:
        return any(_is_in(events, Version(version)) for events in ranges)
    except InvalidVersion:
        return True


def _is_in(events: list[Mapping[str, str]], version: Version) -> bool:
    """Whether the last event up to the version let the fault in."""
    told = [(Version(bound), kind) for event in events for kind, bound in event.items() if kind != "limit"]
    is_in = False
    for bound, kind in sorted(told, key=lambda one: one[0]):
        if kind == "introduced" and version >= bound:
            is_in = True
        elif (kind == "fixed" and version >= bound) or (kind == "last_affected" and version > bound):
            is_in = False
    return is_in
