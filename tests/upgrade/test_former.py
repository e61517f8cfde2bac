"""The former release's own tests, by its own code, on the tables in the middle: all that comes before, nothing that comes after.

`make upgrade` plays them all; this plays its journeys: a contract's whole life over HTTP, good plans, orders, and two workers at
once. Where this release has steps after, `make upgrade` plays its own journeys on those tables, too; in every run `test_rolling`
has its processes at work there.
"""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path
from typing import Final

import pytest

from earnest.engines import Engines
from escrow.parts import Part, part_of, release_of
from escrow.release import RELEASE
from tests.earnest.running import clean_environment
from tests.engines import IN_THE_MIDDLE
from tests.escrow.test_migrate import steps
from tests.upgrade import former
from tests.upgrade.former import ROOT

WORKERS: Final = "tests/workers/test_killed.py::test_two_workers_at_once_make_one_charge_for_each_order"
JOURNEYS: Final = ("tests/api/test_journey.py", "tests/api/test_good_plans.py", "tests/api/test_orders.py", WORKERS)
CHOSEN: Final = "EARNEST_FORMER_TESTS"
"""Which tests to play instead."""

AFTER: Final = [step.name for step in steps() if part_of(step) is Part.AFTER]


@pytest.mark.skipif(former.why_not() is not None, reason=str(former.why_not()))
def test_the_former_release_says_so_itself_and_has_all_steps_but_those_of_this_one(tmp_path: Path) -> None:
    tree = former.lay_out(tmp_path)
    assert f'VERSION: Final = "{former.release()}"' in (tree / "escrow" / "release.py").read_text(encoding="utf-8")
    its = {f"{app}.{step.stem}" for app in ("escrow", "webhooks") for step in (tree / app / "migrations").glob("m*.py")}
    assert its == {f"{step.app_label}.{step.name}" for step in steps() if release_of(step) != RELEASE}


@pytest.mark.skipif(former.why_not() is not None, reason=str(former.why_not()))
async def test_the_former_release_goes_on_beside_the_tables_of_this_one(engines: Engines, tmp_path: Path) -> None:
    tree = former.lay_out(tmp_path)
    path = os.pathsep.join([str(tree), str(ROOT / "tests" / "upgrade" / "plugins")])
    environ = {
        "EARNEST_NEXT": str(ROOT),
        "EARNEST_NEXT_DATABASE": engines.database_url,
        "EARNEST_NEXT_REDIS": engines.redis_url,
    }
    without = [f"--deselect={name}" for name in former.LEFT_OUT]
    chosen = os.environ[CHOSEN].split() if CHOSEN in os.environ else JOURNEYS
    await played(tree, "-p", "tables_of_the_next", *without, *chosen, PYTHONPATH=path, **environ)


@pytest.mark.skipif(not AFTER, reason="no step of this release comes after: its tables are never in the middle")
@pytest.mark.skipif(CHOSEN not in os.environ, reason="`make upgrade` plays it")
async def test_this_release_begins_while_what_comes_after_is_still_missing() -> None:
    await played(ROOT, *JOURNEYS, PYTHONPATH=str(ROOT), **{IN_THE_MIDDLE: "yes"})


async def played(tree: Path, *arguments: str, **environ: str) -> None:
    """Tests of a tree must pass, by a pytest of their own. What somebody chose may take long: it is seen to go on."""
    environment = {name: value for name, value in clean_environment().items() if not name.startswith("PYTEST_")}
    is_seen = CHOSEN in os.environ
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-q", "-n", "0", *arguments),
        cwd=tree,
        env=environment | environ,
        stdout=None if is_seen else PIPE,
        stderr=None if is_seen else STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode() if said else "see above"
