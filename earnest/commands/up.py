"""Start everything: the engines, the migrations and the processes of the Procfile."""

import argparse
import asyncio
import os
from pathlib import Path

SANDBOX = "sandbox"
PROVIDERS = (SANDBOX, "stripe-stand-in")
"""Who moves the money in the embedded mode; the second as `earnest.run.stand_in` has it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What else can be chosen is a variable of the environment."""
    parser.add_argument(
        "--provider",
        choices=PROVIDERS,
        default=SANDBOX,
        help="who moves the money where the environment doesn't say so; the stand-in needs a checkout; default: %(default)s",
    )
    parser.add_argument(
        "--fetch-explorer",
        action="store_true",
        help="fetch the explorer from npm afterwards, if it isn't there and npm is",
    )


def run(args: argparse.Namespace) -> int:
    """Run until Ctrl-C, a signal, or the end of one of the processes."""
    from earnest.run import stand_in, steps
    from earnest.run.supervisor import Supervisor

    root = Path.cwd()
    beside = []
    if args.provider == stand_in.STRIPE_STAND_IN:
        os.environ.update(stand_in.variables(os.environ))
        beside = [stand_in.entry(os.environ, root)]

    async def supervise() -> int:
        afterwards = (steps.fetch_explorer,) if args.fetch_explorer else ()
        return await Supervisor(root, beside=beside, afterwards=afterwards).run()

    return asyncio.run(supervise())
