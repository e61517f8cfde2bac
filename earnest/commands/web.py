"""Serve GraphQL over HTTP, WebSockets and server-sent events."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It takes none: the address is `EARNEST_HOST` and `PORT`."""


def run(args: argparse.Namespace) -> int:
    """Serve until a signal; any number of these processes may run side by side.

    Refuses with `CannotStart` a place where it can't listen and a database that is away: whoever has started it starts it again.
    """
    from functools import partial

    from api import figures
    from api.app import create_app
    from earnest.operator import in_one_line
    from earnest.run import garbage
    from earnest.run.guard import Limits
    from earnest.run.ports import check_port
    from earnest.run.serving import Server
    from escrow import aside
    from escrow.settings import Settings

    settings = Settings.from_environment()
    limits = Limits(connections_max=settings.connections_max, per_address_max=settings.connections_per_address_max)
    app = create_app(settings)
    believed = settings.believed_proxies
    server = Server(app, host=settings.host, port=settings.port, limits=limits, believed_proxies=believed)
    server.garbage, server.gather = garbage.look_rarely(), partial(figures.gather, app.state.door)
    aside.let_the_loop_interrupt()
    check_port(settings)
    try:
        server.run(sockets=[server.bind()])
    except SystemExit:
        if server.kept_from_starting is None:
            raise
        with in_one_line():
            raise server.kept_from_starting from None
    return 0
