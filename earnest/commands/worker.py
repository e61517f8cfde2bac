"""Run the background work: the sequencer, deadlines, payments and deliveries."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It takes none."""


def run(args: argparse.Namespace) -> int:
    """Work until a signal; any number of these processes may run side by side."""
    import uvloop

    from earnest.run import garbage, telemetry
    from earnest.run.watching import watched
    from escrow.settings import Settings
    from workers.main import run as work

    settings = Settings.from_environment()
    looking = garbage.look_rarely()
    shown = watched(settings.host, settings.metrics_port, token=settings.metrics_token, is_open=settings.sandbox)

    async def working() -> None:
        async with looking.considering(), telemetry.exported("worker"), shown:
            await work(settings)

    uvloop.run(working())
    return 0
