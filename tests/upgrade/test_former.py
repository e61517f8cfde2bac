"""The former release's own tests, by its own code, on the tables in the middle: all that comes before, nothing that comes after.

`make upgrade` plays them all; this plays its journeys: a contract's whole life over HTTP, good plans, and readers who come back
while workers are killed. Where this release has steps after, its own journeys are played on those tables, too.
"""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path
from typing import Final

import pytest

from tests.earnest.running import clean_environment
from tests.upgrade import former
from tests.upgrade.former import ROOT

JOURNEYS: Final = "tests/api/test_journey.py tests/api/test_good_plans.py tests/journeys"
ALL: Final = "EARNEST_FORMER_TESTS"
"""What to play of the former release's tests instead."""


@pytest.mark.skipif(former.why_not() is not None, reason=str(former.why_not()))
async def test_the_former_release_goes_on_beside_the_tables_of_this_one(tmp_path: Path) -> None:
    tree = former.lay_out(tmp_path)
    environ = clean_environment() | {
        "PYTHONPATH": os.pathsep.join([str(tree), str(ROOT / "tests" / "upgrade" / "plugins")]),
        "EARNEST_NEXT": str(ROOT),
    }
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_TESTRUNUID", "PYTEST_ADDOPTS"):
        environ.pop(name, None)
    asked = os.environ.get(ALL, JOURNEYS).split()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "tables_of_the_next", *asked),
        cwd=tree,
        env=environ,
        stdout=PIPE,
        stderr=STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
