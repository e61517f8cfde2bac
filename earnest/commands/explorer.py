"""Fetch GraphiQL from npm, each file checked by its hash: then browsers find it at /graphql."""

import argparse
import asyncio


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Nothing can be chosen: what is fetched stands in the lock."""


def run(_: argparse.Namespace) -> int:
    """Fetch what is missing; refuses if that can't be had."""
    from api.console import pinned
    from earnest.run.fetching import NotFetched, fetch
    from earnest.run.refusing import CannotStart

    try:
        packages = asyncio.run(fetch())
    except NotFetched as why:
        raise CannotStart(f"the explorer was not fetched: {why}") from None
    done = f"fetched {', '.join(packages)}" if packages else "everything is there already"
    print(f"explorer: {done}, in {pinned.FETCHED}")
    return 0
