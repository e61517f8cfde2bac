"""Look at everything that goes wrong with a deployment, and say of each finding what to do; exit with 1 if something is wrong."""

import argparse
import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from earnest.doctor.findings import Finding

WRONG = 1
GB = 1_000_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How strict to be."""
    parser.add_argument("--strict", action="store_true", help="exit with 1 for what is merely odd, too")
    parser.add_argument(
        "--free",
        type=_gigabytes,
        default=2 * GB,
        metavar="GB",
        help="how much of the disk has to be free, in gigabytes; default: 2",
    )


def _gigabytes(text: str) -> int:
    if not re.fullmatch(r"\d{1,9}(\.\d+)?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of gigabytes, such as 2 or 0.5")
    return int(float(text) * GB)


def run(args: argparse.Namespace) -> int:
    """Print findings as they come; beside a working deployment it changes nothing."""
    from earnest.doctor.findings import Grade

    async def look() -> "list[Finding]":
        found = []
        async for finding in examined(args.free):
            found.append(finding)
            print("\n".join(finding.lines()), flush=True)
        return found

    grades = [finding.grade for finding in asyncio.run(look())]
    bad = grades.count(Grade.WRONG) + (grades.count(Grade.ODD) if args.strict else 0)
    print(
        f"{grades.count(Grade.WRONG)} wrong, {grades.count(Grade.ODD)} odd, {grades.count(Grade.FINE)} ok", flush=True
    )
    return WRONG if bad else 0


async def examined(free_min_bytes: int) -> "AsyncIterator[Finding]":
    """Everything that is found in the deployment of this folder, or of the servers that the environment names."""
    from earnest.backups import archiving
    from earnest.doctor import own_webhook, variables
    from earnest.doctor.examination import Patient, examine
    from earnest.doctor.findings import wrong
    from earnest.run.embedded import names_servers
    from earnest.run.refusing import CannotStart

    try:
        async with _environment() as (environ, folder):
            settings, bad, found = variables.read(environ)
            for finding in [*found, *own_webhook.reach(settings)]:
                yield finding
            patient = Patient(
                settings=settings,
                folder=folder,
                free_min_bytes=free_min_bytes,
                backups=archiving.named(environ),
                wrong_variables=bad,
                is_built_in=not names_servers(os.environ),
            )
            async for finding in examine(patient):
                yield finding
    except CannotStart as refusal:
        yield wrong("servers", str(refusal), "as it says")


@asynccontextmanager
async def _environment() -> AsyncIterator[tuple[dict[str, str], Path]]:
    """The variables of the deployment, and where it keeps what it keeps on this machine."""
    from earnest.run.embedded import DIRECTORY, deployed_environment

    async with deployed_environment() as environ:
        kept = Path.cwd() / DIRECTORY
        yield environ, kept if kept.is_dir() else Path.cwd()
