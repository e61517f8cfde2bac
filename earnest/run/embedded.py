"""Sets up the embedded mode: a sandbox whose engines and secrets live in `.earnest/`, beside the Procfile.

It sets the variables that an operator would set in production, so nothing behind it knows the difference. Commands
find the engines of a running `earnest up` here, or start them for as long as they need them.
"""

import asyncio
import base64
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from earnest.backups import archiving
from earnest.backups.unfinished import JOURNAL, Restore
from earnest.engines import Engines, make_directory
from earnest.engines.lock import AlreadyRunning, DirectoryLock
from earnest.engines.processes import POLL_SECONDS, read_private, write_private
from earnest.run.refusing import CannotStart
from escrow.settings import SECRET_KEY_BYTES, Settings

DIRECTORY = ".earnest"

PROVIDER_PREFIXES = ("EARNEST_PAYMENT_", "EARNEST_STRIPE_")
"""The variables that say who moves the money."""

PLACE = ("EARNEST_HOST", "PORT", "EARNEST_PUBLIC_URL")
"""The variables that say where people reach it."""


def names_servers(environ: Mapping[str, str]) -> bool:
    """Whether the environment names real servers; refuses when it names only one of the two."""
    named = [name for name in ("DATABASE_URL", "REDIS_URL") if environ.get(name, "").strip()]
    if len(named) == 1:
        other = "REDIS_URL" if named == ["DATABASE_URL"] else "DATABASE_URL"
        raise CannotStart(f"{named[0]} is set but {other} is not: set both, or neither for the built-in engines")
    return bool(named)


def lock(directory: Path, *, is_passing: bool = False) -> DirectoryLock:
    """The lock that whoever runs the engines holds, a command in passing; makes the folder if there is none."""
    make_directory(directory)
    return DirectoryLock(directory / "lock", is_passing=is_passing)


async def settle_restore(directory: Path, *, tell: Callable[[str], None] = lambda _: None) -> None:
    """Undo a restore that was broken off, unless PostgreSQL got to its end. Needs the lock."""
    restore = Restore.found(directory)
    if restore is None:
        return
    await Engines(directory).record.clear_up()
    if restore.settle(directory):
        tell("the last restore ended before it told what it did: `earnest restore --finish` tells it")
    else:
        tell("a restore was broken off: everything is as it was before it")


@asynccontextmanager
async def running_engines(
    directory: Path, *, tell: Callable[[str], None] = lambda _: None, restoring: bool = False
) -> AsyncIterator[Engines]:
    """The engines, alive inside the context; how they are reached is written down for other commands. Needs the lock.

    `tell` gets a line for people about each step of the start. A restore that was broken off is undone first, unless whoever
    asks is `restoring`.
    """
    if not restoring:
        await _go_on_from_restore(directory, tell)
    urls = directory / "engines.json"
    urls.unlink(missing_ok=True)
    async with Engines(directory, postgres=archiving.settings(directory / "postgres"), tell=tell) as engines:
        try:
            reached = {
                "database_url": engines.database_url,
                "redis_url": engines.redis_url,
                "provider": _said(lambda name: name.startswith(PROVIDER_PREFIXES)),
                "place": _said(lambda name: name in PLACE),
            }
            write_private(urls, json.dumps(reached))
            yield engines
        finally:
            urls.unlink(missing_ok=True)


async def _go_on_from_restore(directory: Path, tell: Callable[[str], None]) -> None:
    """The data of before is there, or the restored one. Refuses where neither is, lest an empty one takes the place."""
    restore = Restore.found(directory)
    if restore is not None and restore.aside is None and not restore.is_through(directory):
        raise CannotStart(
            f"A restore into {directory} was broken off, and nothing was there before: `earnest restore` once more, or move "
            f"{directory} away to begin with an empty one"
        )
    await settle_restore(directory, tell=tell)


def _said(is_meant: Callable[[str], bool]) -> dict[str, str]:
    """What the environment says in the variables that are meant."""
    return {name: value for name, value in os.environ.items() if is_meant(name) and value.strip()}


def environment(
    directory: Path,
    *,
    database_url: str,
    redis_url: str,
    provider: Mapping[str, str] | None = None,
    place: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The variables of the embedded mode: those of the environment win, then those that say of what runs who moves the money
    and where people reach it, and the rest is a sandbox."""
    sandbox = {
        "EARNEST_SECRET_KEYS": secret_key(directory / "secret-key"),
        "EARNEST_SANDBOX": "on",
        "EARNEST_PAYMENT_PROVIDER": "sandbox",
        "EARNEST_WEBHOOK_ALLOW_PRIVATE": "loopback",
        "EARNEST_LOG_LEVEL": "warning",
    }
    given = {name: value for name, value in os.environ.items() if value.strip()}
    reached = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    return sandbox | dict(provider or {}) | dict(place or {}) | given | reached


def secret_key(path: Path) -> str:
    """The key that encrypts secrets at rest, made once; refuses when the file is damaged, since data hangs on it."""
    try:
        key = read_private(path).strip()
    except FileNotFoundError:
        key = base64.urlsafe_b64encode(secrets.token_bytes(SECRET_KEY_BYTES)).decode()
        write_private(path, key + "\n")
    if len(key) != len(base64.b64encode(bytes(SECRET_KEY_BYTES))):
        raise CannotStart(
            f"{path} is damaged: restore it from a backup, or move {path.parent} away and start again with an empty one"
        )
    return key


@asynccontextmanager
async def deployment(root: Path | None = None, *, is_passing: bool = True) -> AsyncIterator[Settings]:
    """The settings of the deployment that a command works on, with its servers alive inside the context.

    Refuses when there is nothing to work on, or a variable is wrong.
    """
    async with deployed_environment(root, is_passing=is_passing) as environ:
        yield Settings.from_environment(environ)


@asynccontextmanager
async def deployed_environment(root: Path | None = None, *, is_passing: bool = True) -> AsyncIterator[dict[str, str]]:
    """The variables of that deployment, whatever they say, with its servers alive inside the context.

    These are the servers that the environment names; else the engines of the `earnest up` that runs in this folder;
    else, when there is data, engines started for the duration, after other commands. Those use them meanwhile, unless whoever
    asks `is_passing` and ends by itself. Refuses when there is nothing to work on.
    """
    if names_servers(os.environ):
        yield dict(os.environ)
        return
    directory = (root or Path.cwd()) / DIRECTORY
    if not (directory / "postgres").exists() and not (directory / JOURNAL).exists():
        raise CannotStart(
            f"There is no data in {directory} and nothing runs: start with `make run`, "
            "or set DATABASE_URL and REDIS_URL"
        )
    async with AsyncExitStack() as stack:
        if await _have_lock(stack, directory, is_passing=is_passing):
            engines = await stack.enter_async_context(running_engines(directory))
            environ = environment(directory, database_url=engines.database_url, redis_url=engines.redis_url)
        else:
            environ = _of_running(directory)
        yield environ


async def _have_lock(stack: AsyncExitStack, directory: Path, *, is_passing: bool) -> bool:
    """Take the lock until the stack is closed; false where `earnest up` has it, or a command that goes on until it is stopped.

    Another one is waited for until it lets go: the engines that it has started end with it.
    """
    is_told = False
    while True:
        try:
            stack.enter_context(lock(directory, is_passing=is_passing))
        except AlreadyRunning as running:
            if not running.is_passing:
                return False
            if not is_told:
                print(f"waiting for the command that works here (process {running.holder}) ...", file=sys.stderr)
            is_told = True
            await asyncio.sleep(POLL_SECONDS)
        else:
            return True


def _of_running(directory: Path) -> dict[str, str]:
    try:
        reached = json.loads(read_private(directory / "engines.json"))
    except FileNotFoundError:
        raise CannotStart(
            f"Earnest is just starting or stopping in {directory.parent}: try again in a moment"
        ) from None
    return environment(directory, **reached)
