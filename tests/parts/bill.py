"""Writes the bill of materials as CycloneDX: every package of the lock that is installed, with its licence and what needs it.

What npm's locks name stands in it, too; what only builds or tests something there is `excluded`, by CycloneDX's word.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.parts.locked import normal
from tests.parts.npm import Package


def write(tools: Path, path: Path, locked: Mapping[str, str], packages: Sequence[Package]) -> int:
    """Write it; gives how many packages stand in it."""
    program = [str(tools / "bin" / "cyclonedx-py"), "environment", "--pyproject", "pyproject.toml"]
    options = ["--output-format", "JSON", "--output-reproducible", "--output-file", "-", sys.executable]
    said = subprocess.run([*program, *options], capture_output=True, text=True, check=True).stdout
    kept = with_npm(of_the_lock(json.loads(said), locked), packages)
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


def with_npm(told: Mapping[str, Any], packages: Sequence[Package]) -> dict[str, Any]:
    """The same with packages of npm's."""
    return {**told, "components": [*told["components"], *(_component(one) for one in packages)]}


def _component(one: Package) -> dict[str, Any]:
    purl = f"pkg:npm/{one.name.replace('@', '%40')}@{one.version}"
    kind, _, digest = one.integrity.partition("-")
    return {
        "type": "library",
        "bom-ref": purl,
        "name": one.name,
        "version": one.version,
        "purl": purl,
        "scope": "required" if one.is_handed_on else "excluded",
        **({"licenses": [{"expression": one.licence}]} if one.licence else {}),
        **({"hashes": [{"alg": "SHA-512", "content": base64.b64decode(digest).hex()}]} if kind == "sha512" else {}),
    }
