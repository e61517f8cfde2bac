"""Commands as an operator types them, each a process of its own that begins where the imports are done."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import api.app  # noqa: F401 - imported before the process is there
import webhooks.audit  # noqa: F401 - and what audits read
from earnest import cli
from tests.workers.forking import Forked


def main(argument: str) -> None:
    """In the process: run the command in its folder."""
    asked = json.loads(argument)
    os.chdir(asked["folder"])
    sys.exit(cli.main(asked["words"]))


def begin(*words: str, folder: Path, environ: Mapping[str, str], log: Path) -> Forked:
    """A command that goes on beside the test; what it says is in the log."""
    asked = json.dumps({"folder": str(folder), "words": words})
    return Forked("tests.earnest.commanding", asked, environ=environ, log=log)


async def command(*words: str, folder: Path, environ: Mapping[str, str]) -> tuple[int, str]:
    """The exit code of a command, and all that it said."""
    with tempfile.TemporaryDirectory() as kept:
        log = Path(kept) / "said"
        code = await begin(*words, folder=folder, environ=environ, log=log).wait()
        return code, log.read_text()
