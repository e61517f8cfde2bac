"""`make audit-deps`: known vulnerabilities, licences, a bill of materials of all in `requirements.lock` and npm's locks.

The code is 1 if something is known against a version, or a licence is unknown or none that we may pass on; 3 if nothing is wrong
as far as could be seen, but what is known of vulnerabilities couldn't be asked for, or only of an old copy; else 0.
`ARGS="--advisories FOLDER"` compares with a folder of advisories in the format of OSV, and asks nobody.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.parts import advisories, bill, licences, npm, vulnerabilities
from tests.parts.locked import LOCK, read_lock
from tests.parts.npm import Package
from tests.parts.vulnerabilities import Known

BAD: Final = 1
NOT_ASKED: Final = 3
BILL: Final = Path("build/bom.json")


def main(tools: Path, folder: Path | None) -> int:
    """Look at all three, by the tools in that environment; gives the exit code."""
    locked, packages = read_lock(LOCK.read_text()), npm.read_locks()
    problems = [*_licences("Python", locked, licences.told()), *_licences("npm", *_named(packages))]
    listed = bill.write(tools, BILL, locked, packages)
    print(f"Bill of materials: {BILL} (CycloneDX) lists {listed} packages, those of this platform and npm's.")
    known = _known(tools, locked, packages, folder)
    for one in known:
        print("\n".join(one.lines()), flush=True)
    return exit_code(
        has_problems=bool(problems or any(one.found for one in known)), was_asked=all(one.was_asked for one in known)
    )


def _licences(whose: str, locked: Mapping[str, str], told: Mapping[str, str]) -> Sequence[str]:
    """Tell what comes of the licences; gives the problems."""
    judged = licences.judge(locked, told)
    print(f"Licences: {len(judged.allowed)} of {len(locked)} packages ({whose}) are under ones that may be used.")
    for problem in judged.problems:
        print(f"  {problem}")
    return judged.problems


def _named(packages: Sequence[Package]) -> tuple[dict[str, str], dict[str, str]]:
    """Versions and licences by name; the name is with the version, since npm has several of one."""
    names = {f"{one.name}@{one.version}": one for one in packages}
    told = {name: one.licence for name, one in names.items() if one.licence}
    return {name: one.version for name, one in names.items()}, told


def _known(tools: Path, locked: Mapping[str, str], packages: Sequence[Package], folder: Path | None) -> list[Known]:
    """What is known against the versions."""
    if folder is None:
        return [vulnerabilities.ask(tools, LOCK), npm.ask([path.parent for path in npm.locks()])]
    parts: dict[tuple[str, str], frozenset[str]] = {
        ("PyPI", name): frozenset({version}) for name, version in locked.items()
    }
    for one in packages:
        parts["npm", one.name] = parts.get(("npm", one.name), frozenset()) | {one.version}
    return [advisories.compare(folder, parts, now=datetime.now(UTC))]


def exit_code(*, has_problems: bool, was_asked: bool) -> int:
    """What is bad comes first; a source that couldn't be asked is no all-clear."""
    if has_problems:
        return BAD
    return 0 if was_asked else NOT_ASKED


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make audit-deps")
    parser.add_argument("tools", type=Path)
    parser.add_argument("--advisories", type=Path, metavar="FOLDER", help="compare with these; ask nobody")
    given = parser.parse_args()
    sys.exit(main(given.tools, given.advisories))
