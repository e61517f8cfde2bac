"""Finds and runs PostgreSQL's tools: those beside the embedded server, else the machine's own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from signal import SIGTERM
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from earnest.engines.postgres import find_binaries
from earnest.engines.processes import bound
from earnest.run.refusing import CannotStart

OURS: Final = ("maxsize", "minsize", "statement_cache_size")
"""What a database's URL may say to our driver alone."""

_TLS: Final = ("sslmode", "require")
"""What those programs call what the driver calls `ssl=true`."""

_PASSWORD: Final = "password"  # noqa: S105 - the name of it in a URL


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


def run(name: str, *arguments: str, environ: Mapping[str, str] | None = None) -> None:
    """Run a tool to its end, by default in our own environment; refuses with the last line that it said.

    It ends with us: one that went on would write into what the next one has begun anew.
    """
    command = bound(tool(name), *arguments, death_signal=SIGTERM)
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=environ)
    if ended.returncode != 0:
        raise CannotStart(f"{name} failed: {last_line(ended.stderr or ended.stdout)}")


def for_libpq(database_url: str) -> str:
    """The database's URL as PostgreSQL's own programs read it, without the password, which goes into their `environment`: what a
    program is called with can be read by everybody on the machine.
    """
    parts = urlsplit(database_url)
    query = [_TLS if name == "ssl" else (name, value) for name, value in parse_qsl(parts.query) if name not in OURS]
    shown = [(name, value) for name, value in query if name != _PASSWORD]
    scheme = "postgresql" if parts.scheme in ("postgres", "postgresql", "asyncpg") else parts.scheme
    return urlunsplit((scheme, _without_password(parts.netloc), parts.path, urlencode(shown, quote_via=quote), ""))


def environment(database_url: str) -> dict[str, str]:
    """Our own environment with the URL's password, which its owner alone can read there."""
    found = password(database_url)
    return {**os.environ} if found is None else {**os.environ, "PGPASSWORD": found}


def password(database_url: str) -> str | None:
    """The password that the database's URL gives, as our driver reads it; `None` if it gives none."""
    parts = urlsplit(database_url)
    return unquote(parts.password or "") or dict(parse_qsl(parts.query)).get(_PASSWORD)


def _without_password(netloc: str) -> str:
    user, at, server = netloc.rpartition("@")
    return f"{user.partition(':')[0]}{at}{server}"


def last_line(said: str) -> str:
    """What a tool said last, which is why it ended."""
    return next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "it said nothing")
