"""Run the background work: the sequencer, deadlines, payments and deliveries."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It takes none."""


def run(args: argparse.Namespace) -> int:
    """Work until a signal; any number of these processes may run side by side."""
    import uvloop

    from earnest.run import garbage
    from workers.main import run as work

    looking = garbage.look_rarely()

    async def working() -> None:
        async with looking.considering():
            await work()

    uvloop.run(working())
    return 0
