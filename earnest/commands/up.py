"""Start everything: the engines, the migrations and the processes of the Procfile."""

import argparse
import asyncio
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It takes none: what can be chosen is a variable of the environment."""


def run(args: argparse.Namespace) -> int:
    """Run until Ctrl-C, a signal, or the end of one of the processes."""
    from earnest.run.supervisor import Supervisor

    async def supervise() -> int:
        return await Supervisor(Path.cwd()).run()

    return asyncio.run(supervise())
