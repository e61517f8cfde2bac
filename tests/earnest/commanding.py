"""Commands as an operator types them, each a process of its own that begins where the imports are done."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import api.app  # noqa: F401 - imported before the process is there
import earnest.cli  # noqa: F401 - and what is imported only once somebody hears Ctrl-C
import webhooks.audit  # noqa: F401 - and what audits read
from earnest import starting
from tests.workers.forking import Forked


def main(argument: str) -> None:
    """In the process: run the command in its folder."""
    asked = json.loads(argument)
    os.chdir(asked["folder"])
    sys.exit(starting.main(asked["words"]))


def begin(*words: str, folder: Path, environ: Mapping[str, str], log: Path, errors: Path | None = None) -> Forked:
    """A command that goes on beside the test; what it says is in the log, errors too unless they have a file of their own."""
    asked = json.dumps({"folder": str(folder), "words": words})
    return Forked("tests.earnest.commanding", asked, environ=environ, log=log, errors=errors)


async def commanded(*words: str, environ: Mapping[str, str], folder: Path | None = None) -> tuple[int, str, str]:
    """The exit code of a command in the folder, or where the tests run, and what it said on its two outputs."""
    with tempfile.TemporaryDirectory() as kept:
        said, remarked = Path(kept) / "said", Path(kept) / "remarked"
        process = begin(*words, folder=folder or Path.cwd(), environ=environ, log=said, errors=remarked)
        return await process.wait(), said.read_text(), remarked.read_text()
