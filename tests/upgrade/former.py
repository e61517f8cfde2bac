"""The former release as it was committed, laid out in a folder of its own."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
RECORD: Final = ROOT / "docs" / "releases" / "former.toml"

LEFT_OUT: Final[Mapping[str, str]] = {
    "tests/escrow/agreement": "pure: it knows no table, and takes half of the time",
    **dict.fromkeys(
        (
            "tests/escrow/test_placement.py::test_every_table_has_its_place",
            "tests/escrow/test_placement.py::test_every_unique_key_contains_the_contract_or_stands_beside_one_that_does",
            "tests/escrow/test_placement.py::test_foreign_keys_stay_in_a_shard_or_lead_to_tables_that_are_everywhere",
            "tests/escrow/test_tables.py::test_every_constraint_and_trigger_is_named_and_tried",
            "tests/escrow/test_tables.py::test_models_are_the_tables",
        ),
        "compares the tables with its own list of them, name by name: that they are others is what is asked here",
    ),
    **dict.fromkeys(
        (
            "tests/workers/test_deadlines_survive.py::test_postgresql_restarted_loses_nothing",
            "tests/workers/test_engines_away.py::test_a_worker_starts_before_postgresql_and_goes_on_after_its_restart",
        ),
        "stops the server that it runs on, which here is everybody's",
    ),
    "tests/escrow/test_tables.py::test_the_database_refuses_what_each_constraint_forbids": (
        "tries deposits_forfeited too, which this release takes away: no process of the former one writes what it refused"
    ),
    "tests/escrow/test_migrate.py::test_the_vocabulary_grows_and_never_forgets": (
        "expects that the deployment knows its own events alone: here it knows this release's, too"
    ),
    "tests/escrow/store/test_read.py::test_a_stranger_reads_no_more_of_an_account_with_many_keys_than_of_none": (
        "counts rows: beside another release's events a process looks through each stream for those that it doesn't know"
    ),
}
"""What of the former release's tests says nothing of whether it goes on beside these tables, and why."""


def _record() -> dict[str, object]:
    return tomllib.loads(RECORD.read_text(encoding="utf-8"))


@cache
def commit() -> str:
    """The commit of the former release."""
    return str(_record()["commit"])


@cache
def release() -> str:
    """Its number."""
    return str(_record()["release"])


@cache
def why_not() -> str | None:
    """Why the former release can't be had here: a tarball has no history, a shallow clone not enough of it."""
    found = subprocess.run(
        ["git", "-C", str(ROOT), "cat-file", "-e", f"{commit()}^{{commit}}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode == 0:
        return None
    return f"commit {commit()[:12]} of the former release is not in this checkout's history ({found.stderr.strip()})"


def lay_out(folder: Path) -> Path:
    """The former release's files; `why_not` must have nothing to say."""
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", "--format=tar", commit()], capture_output=True, check=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    return folder
