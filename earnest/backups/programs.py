"""Finds and runs PostgreSQL's tools: those beside the embedded server, else the machine's own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from earnest.engines.postgres import find_binaries
from earnest.run.refusing import CannotStart

OURS: Final = ("maxsize", "minsize", "statement_cache_size")
"""What a database's URL may say to our driver alone."""

_TLS: Final = ("sslmode", "require")
"""What those programs call what the driver calls `ssl=true`."""


def tool(name: str) -> str:
    """The path of a tool; refuses with `CannotStart` if there is none."""
    try:
        beside = find_binaries() / name
    except CannotStart:
        beside = Path(name)
    found = str(beside) if beside.is_absolute() and beside.exists() else shutil.which(name)
    if found is None:
        raise CannotStart(
            f"There is no {name}: install PostgreSQL's client programs (apt install postgresql-client-18) or earnest[embedded]"
        )
    return found


def run(name: str, *arguments: str) -> None:
    """Run a tool to its end; refuses with the last line that it said."""
    command = [tool(name), *arguments]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise CannotStart(f"{name} failed: {_last((ended.stderr or ended.stdout).splitlines())}")


def for_libpq(database_url: str) -> str:
    """The database's URL as PostgreSQL's own programs read it."""
    parts = urlsplit(database_url)
    query = [_TLS if name == "ssl" else (name, value) for name, value in parse_qsl(parts.query) if name not in OURS]
    scheme = "postgresql" if parts.scheme in ("postgres", "postgresql", "asyncpg") else parts.scheme
    return urlunsplit((scheme, parts.netloc, parts.path, urlencode(query, quote_via=quote), ""))


def _last(lines: Sequence[str]) -> str:
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
