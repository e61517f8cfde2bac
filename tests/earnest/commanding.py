"""The command line in a process whose imports are done: `earnest` with these words, its exit code and what it says."""

import shlex
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import api.app  # noqa: F401 - imported before the process is there
from earnest.cli import main as earnest
from tests.workers.forking import Forked


async def commanded(*words: str, environ: Mapping[str, str]) -> tuple[int, str, str]:
    """The exit code of a command, and what it said on its two outputs."""
    with tempfile.TemporaryDirectory() as folder:
        said, remarked = Path(folder) / "said", Path(folder) / "remarked"
        process = Forked(__name__, shlex.join(words), environ=environ, log=said, errors=remarked)
        return await process.wait(), said.read_text(), remarked.read_text()


def main(line: str) -> None:
    """Do what `earnest` does with the words of the line."""
    sys.exit(earnest(shlex.split(line)))
