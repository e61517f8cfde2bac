"""Which process runs which tests: a file stays together, but for files of long tests, which are handed out first and one by one,
and for those that share what takes long to begin.

So the processes end together, and nothing long is left for one of them alone at the end. In which order is no test's business:
`--shuffle 7` takes another for each number.

Before that every process reads every file, and rewrites its assertions unless somebody did: each begins elsewhere, so that all
together do it once.
"""

from __future__ import annotations

import importlib
import os
import random
from contextlib import suppress
from itertools import groupby
from typing import Final

import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling

LONG: Final = (
    "tests/earnest/test_backup_commands.py",
    "tests/earnest/test_restoring.py",
    "tests/earnest/test_seen.py",
    "tests/earnest/test_standby.py",
    "tests/journeys/",
    "tests/workers/",
    "tests/escrow/agreement/test_histories.py",
    "tests/escrow/queries/test_scans.py",
    "tests/escrow/test_audit.py",
    "tests/escrow/test_histories.py",
    "tests/schema/compiled/test_differential.py",
    "tests/soak/",
    "tests/upgrade/",
)
"""Folders and files with tests that take many seconds each and share nothing with their like."""

SHARERS: Final = ("tests/docs/test_live.py", "tests/docs/test_readme.py", "tests/docs/test_webhooks.py")
"""Files that share what takes long to begin: one process runs them all."""


def share(session: pytest.Session) -> None:
    """Of all files of tests, import this process' share first; what is wrong with one is said when it is collected."""
    config = session.config
    number, of = os.environ.get("PYTEST_XDIST_WORKER", "")[2:], os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")
    if not number or config.args != config.getini("testpaths"):
        return
    others = tuple(config.getini("norecursedirs"))
    files = (file.relative_to(config.rootpath) for file in (config.rootpath / "tests").rglob("test_*.py"))
    for file in sorted(file for file in files if not file.as_posix().startswith(others))[int(number) :: int(of)]:
        with suppress(Exception):
            importlib.import_module(".".join(file.with_suffix("").parts))


def is_long(nodeid: str) -> bool:
    """Whether a test is handed out by itself."""
    return nodeid.startswith(LONG)


def shuffled(items: list[pytest.Item], seed: int) -> list[pytest.Item]:
    """The files in another order, and the tests of each of them; all processes of a run shuffle alike."""
    chance = random.Random(seed)
    files = [list(tests) for _, tests in groupby(items, key=lambda item: item.path)]
    chance.shuffle(files)
    for tests in files:
        chance.shuffle(tests)
    return [test for tests in files for test in tests]


class LongFirst(LoadScopeScheduling):  # type: ignore[misc]  # xdist tells no types
    """Hands out what is collected in its order, by whole files but for `LONG` and `SHARERS`."""

    def _split_scope(self, nodeid: str) -> str:
        if is_long(nodeid):
            return nodeid
        return SHARERS[0] if nodeid.startswith(SHARERS) else nodeid.partition("::")[0]
