"""Take a backup with PostgreSQL's own tools, or follow what it writes; `earnest restore` brings any moment back."""

import argparse
import asyncio
import os
from pathlib import Path

from earnest.backups.archiving import BACKUPS, named
from earnest.options import folder, whole

KEPT_MAX = 1_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--to",
        type=folder,
        metavar="FOLDER",
        default=named(os.environ),
        help=f"where backups are kept; by default what {BACKUPS} says",
    )
    parser.add_argument(
        "--follow",
        action="store_true",
        help="take none, but write down what PostgreSQL does as it does it, until it is ended (pg_receivewal)",
    )
    parser.add_argument(
        "--keep", type=whole(1, KEPT_MAX), metavar="N", help="afterwards delete all backups but the newest N"
    )


def run(args: argparse.Namespace) -> int:
    """It may run beside a working deployment. Needs the right of replication on a server of your own."""
    from earnest.run.refusing import CannotStart

    if args.to is None:
        raise CannotStart(f"Say where backups are kept: --to FOLDER, or {BACKUPS}")
    return asyncio.run(_run(Path(args.to).absolute(), follow=args.follow, keep=args.keep))


async def _run(backups: Path, *, follow: bool, keep: int | None) -> int:
    from earnest.backups import follower, outgrown, taking
    from earnest.run.embedded import deployment

    async with deployment(is_passing=not follow) as settings:
        if follow:
            await follower.follow(settings.database_url, backups)
            return 0
        with taking.alone(backups):
            base = await asyncio.to_thread(taking.take, settings.database_url, backups)
            print(f"{base.path}: whole, and checked file by file")
            for old in outgrown.forget(backups, keep=keep) if keep is not None else ():
                print(f"{old.path}: deleted")
    return 0
