"""What browsers run as it stands in the repository is checked like a program that is compiled: by the types in its comments."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.conformance.conftest import HERE, run_script
from tests.patience import PATIENCE_SECONDS


def tsc(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = ["node", "node_modules/typescript/bin/tsc", *map(str, arguments)]
    return subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS)


def test_the_modules_of_the_console_keep_to_their_types() -> None:
    done = tsc("--project", "tsconfig.json")
    assert done.returncode == 0, done.stdout


def test_a_module_that_breaks_its_types_is_found(tmp_path: Path) -> None:
    broken = tmp_path / "broken.js"
    broken.write_text("export const length = (/** @type {string} */ text) => text.size;\n", encoding="utf-8")
    done = tsc("--ignoreConfig", "--allowJs", "--checkJs", "--strict", "--noEmit", broken)
    assert done.returncode != 0
    assert "Property 'size' does not exist" in done.stdout


def test_what_the_elements_reckon_and_resume_is_right() -> None:
    said = run_script("console.mjs", dict(os.environ))
    assert "amounts are read as the locale writes them" in said
    assert "changes of a plan lead to that plan" in said
    assert "sums that were typed stay the same in another language" in said
    assert "a torn stream misses nothing and tells nothing twice" in said
    assert "a torn answer is asked for again by its key" in said
    assert "a session that is over ends its stream" in said
    assert "a page whose first question failed listens all the same" in said
    assert "a stream that ends at once is left alone longer each time" in said
    assert "what a cut of the log took away is asked for anew" in said
