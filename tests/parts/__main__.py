"""`make audit-deps`: known vulnerabilities, licences and a bill of materials of everything in `requirements.lock`.

The code is 1 if something is known against a version, or a licence is unknown or none that we may pass on; 3 if nothing is wrong
as far as could be seen, but what is known of vulnerabilities couldn't be asked for; else 0.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from tests.parts import bill, licences, vulnerabilities
from tests.parts.locked import LOCK, read_lock

BAD: Final = 1
NOT_ASKED: Final = 3
BILL: Final = Path("build/bom.json")


def main(tools: Path) -> int:
    """Look at all three, by the tools in that environment; gives the exit code."""
    locked = read_lock(LOCK.read_text())
    judged = licences.judge(locked, licences.told())
    print(f"Licences: {len(judged.allowed)} of {len(locked)} packages are under ones that may be used.")
    for problem in judged.problems:
        print(f"  {problem}")
    listed = bill.write(tools, BILL, locked)
    print(f"Bill of materials: {BILL} (CycloneDX) lists {listed} packages, those of this platform.")
    known = vulnerabilities.ask(tools, LOCK)
    print("\n".join(known.lines()), flush=True)
    return exit_code(has_problems=bool(judged.problems or known.found), was_asked=known.was_asked)


def exit_code(*, has_problems: bool, was_asked: bool) -> int:
    """What is bad comes first; a source that couldn't be asked is no all-clear."""
    if has_problems:
        return BAD
    return 0 if was_asked else NOT_ASKED


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
