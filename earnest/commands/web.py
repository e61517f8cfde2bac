"""Serve GraphQL over HTTP."""

import argparse

GRACE_SECONDS = 8
"""For requests under way at a stop; less than the supervisor's own grace."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It takes none: the address is `EARNEST_HOST` and `PORT`."""


def run(args: argparse.Namespace) -> int:
    """Serve until a signal; any number of these processes may run side by side."""
    import uvicorn

    from escrow.settings import Settings

    settings = Settings.from_environment()
    uvicorn.run(
        "api.app:create_app",
        factory=True,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return 0
