"""Writes the bill of materials as CycloneDX: every package of the lock that is installed, with its licence and what needs it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.parts.locked import normal


def write(tools: Path, path: Path, locked: Mapping[str, str]) -> int:
    """Write it; gives how many packages stand in it."""
    program = [str(tools / "bin" / "cyclonedx-py"), "environment", "--pyproject", "pyproject.toml"]
    options = ["--output-format", "JSON", "--output-reproducible", "--output-file", "-", sys.executable]
    said = subprocess.run([*program, *options], capture_output=True, text=True, check=True).stdout
    kept = of_the_lock(json.loads(said), locked)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(kept, indent=2) + "\n")
    return len(kept["components"])


def of_the_lock(told: Mapping[str, Any], locked: Mapping[str, str]) -> dict[str, Any]:
    """The same without what else is in the environment (a browser's driver, pip), and without paths of this machine."""
    components = [one for one in told["components"] if locked.get(normal(one["name"])) == one.get("version")]
    kept = {one["bom-ref"] for one in components} | {told["metadata"]["component"]["bom-ref"]}
    dependencies = [
        {**one, "dependsOn": sorted(set(one.get("dependsOn", ())) & kept)}
        for one in told["dependencies"]
        if one["ref"] in kept
    ]
    return {**told, "components": [_without_paths(one) for one in components], "dependencies": dependencies}


def _without_paths(component: Mapping[str, Any]) -> dict[str, Any]:
    """Without where it came from, which may be a mirror or a folder."""
    return {name: value for name, value in component.items() if name != "externalReferences"}
