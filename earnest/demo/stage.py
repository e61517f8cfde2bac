"""Finds the deployment that the demo plays on: one of its own that ends with it, or one that runs, if somebody agrees.

A story lets days pass by the test clock, which every contract of a deployment goes by.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from earnest.demo.people import KEYS_FILE, People, read_keys
from earnest.engines.processes import end, launch
from earnest.run import embedded
from earnest.run.refusing import CannotStart

READY_SECONDS: Final = 120.0
STOP_SECONDS: Final = 20.0
POLL_SECONDS: Final = 0.1
PORTS: Final = range(20_000, 32_768)
"""Systems give higher ones to outgoing connections; one of those could have the port before the deployment listens there."""
PROCFILE: Final = "web: earnest web\nworker: earnest worker\n"


@asynccontextmanager
async def found(
    url: str | None, keys: Path | None, *, agreed: Callable[[str], bool], provider: str | None = None
) -> AsyncIterator[People]:
    """The people of the deployment that was named, of the one that runs here, or of a new one.

    `agreed` says whether the clock of the one at this address may be moved. Refuses with `CannotStart` when one was named and
    there are no keys for it, or it may not.
    """
    path = keys or Path.cwd() / embedded.DIRECTORY / KEYS_FILE
    people = read_keys(path)
    if url is not None or keys is not None:
        yield _named(people, url, path, agreed)
    elif people is not None and await _answers(people.url) and agreed(people.url):
        yield people
    else:
        print("The demo starts a deployment of its own, and ends it afterwards ...", file=sys.stderr, flush=True)
        async with own(provider) as strangers:
            yield strangers


def _named(people: People | None, url: str | None, path: Path, agreed: Callable[[str], bool]) -> People:
    if people is None:
        raise CannotStart(f"There are no keys in {path}: name the file that `earnest up` wrote with --keys FILE")
    people = replace(people, url=url) if url is not None else people
    if not agreed(people.url):
        raise CannotStart(
            f"The story moves the test clock of {people.url}, for every contract there: say --yes if it may, "
            "or name none, and it plays in a deployment of its own"
        )
    return people


@asynccontextmanager
async def own(provider: str | None = None) -> AsyncIterator[People]:
    """A whole deployment in a temporary folder: `earnest up`, as anybody would start it, ended afterwards."""
    options = ("--provider", provider) if provider is not None else ()
    with tempfile.TemporaryDirectory(prefix="earnest-demo-") as folder:
        root = Path(folder)
        _furnish(root)
        log = root / "up.log"
        with log.open("wb") as output:
            up = await launch(
                *(sys.executable, "-m", "earnest", "up", *options),
                death_signal=signal.SIGTERM,
                output=output,
                environ=_environment(),
                directory=root,
            )
        try:
            people = await _ready(root / embedded.DIRECTORY / KEYS_FILE, log, up)
            yield people
        finally:
            await end(up, first=signal.SIGTERM, grace_seconds=STOP_SECONDS)


def _furnish(root: Path) -> None:
    root.chmod(0o711)  # as root, PostgreSQL runs as another user and must be able to pass
    (root / "Procfile").write_text(PROCFILE)


def _environment() -> dict[str, str]:
    """This process' environment without what it says of another deployment (its servers, its folder of backups, its provider's
    keys), and ports that are free."""
    kept = {name: value for name, value in os.environ.items() if not _is_of_another(name)}
    with socket.socket() as one, socket.socket() as another:
        return kept | {"PORT": str(_bound(one)), "EARNEST_STRIPE_URL": f"http://127.0.0.1:{_bound(another)}"}


def _is_of_another(name: str) -> bool:
    return name in ("DATABASE_URL", "REDIS_URL") or name.startswith(("EARNEST_", "OTEL_"))


def _bound(probe: socket.socket) -> int:
    """Have it hold a port that is free; gives its number. Refuses with `CannotStart` if none is."""
    for port in random.sample(PORTS, len(PORTS)):
        with suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise CannotStart(f"no port of 127.0.0.1 from {PORTS[0]} to {PORTS[-1]} can be listened at")


async def _ready(keys: Path, log: Path, up: asyncio.subprocess.Process) -> People:
    with suppress(TimeoutError):
        async with asyncio.timeout(READY_SECONDS):
            while up.returncode is None:
                people = read_keys(keys)
                if people is not None:
                    return people
                await asyncio.sleep(POLL_SECONDS)
    raise CannotStart(f"The demo's own deployment did not start: {_last_words(log)}")


def _last_words(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


async def _answers(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    except (OSError, ValueError):
        return False
    writer.close()
    return True
