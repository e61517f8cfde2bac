"""Make a link that opens the console as one of the demo's people, once and within ten minutes."""

import argparse
import asyncio
from pathlib import Path

ROLES = ("client", "freelancer", "mediator", "operator")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whom it is for, and what it opens."""
    parser.add_argument("role", choices=ROLES, help="whose session it opens")
    parser.add_argument("--explorer", action="store_true", help="open the explorer of the API instead")


def run(args: argparse.Namespace) -> int:
    """Print the link; refuses where no demo runs."""
    from earnest.api_client import ApiError
    from earnest.demo import doorways
    from earnest.demo.people import KEYS_FILE, read_keys
    from earnest.run.embedded import DIRECTORY
    from earnest.run.refusing import CannotStart

    people = read_keys(Path.cwd() / DIRECTORY / KEYS_FILE)
    if people is None:
        raise CannotStart("there is no demo here: start it with `make run`, in the same folder")
    page = doorways.EXPLORER if args.explorer else doorways.CONSOLE
    try:
        print(asyncio.run(doorways.link(people.url, people.by_role()[args.role], page)))
    except ApiError as error:
        raise CannotStart(f"no link was made: {error}") from None
    return 0
