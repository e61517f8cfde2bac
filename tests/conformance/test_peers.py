"""All sides of the comparison with others answer alike, PostGraphile's among them; nothing is timed here."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.benchmarks.peers import sides
from tests.benchmarks.peers.operations import OPERATIONS
from tests.earnest.running import clean_environment
from tests.workers.process import ROOT

QUICKLY = ("--rounds", "1", "--contracts", "200", "--seconds", "0.05")


def test_every_side_answers_every_operation_and_writes_as_many_rows() -> None:
    """PostGraphile names its fields after our tables' keys, and its commands write into our tables: both change."""
    try:
        sides.installed_node()
    except sides.NoNode as missing:
        if "needs Node" not in str(missing):
            raise
        pytest.skip(str(missing))
    program = (sys.executable, "-m", "tests.benchmarks", "peers", *QUICKLY)
    environ = {**clean_environment(), "PATH": os.environ["PATH"]}
    done = subprocess.run(program, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "| ratio to PostGraphile |" in done.stdout
    assert [one.name for one in OPERATIONS if done.stdout.count(f"\n| {one.name} |") != 2] == []
