"""Serve tools for language models by the Model Context Protocol: they look and prepare, and people confirm."""

import argparse

from earnest import asking


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """As whom they look; by default as the demo's client where `earnest up` runs."""
    asking.add_arguments(parser, "a key, in place of the demo's; one with the scope contracts:read alone is enough")


def run(args: argparse.Namespace) -> int:
    """Serve until the standard input ends. Refuses with `CannotStart` where the library isn't installed."""
    from earnest.agents.toolbox import Tools
    from earnest.api_client import Api
    from earnest.run.refusing import CannotStart

    try:
        from earnest.agents.server import serving
    except ImportError:
        raise CannotStart("this needs the library mcp: pip install '.[agents]' in the checkout") from None
    url, key = asking.door(args)
    serving(Tools(Api(url, key), url)).run()
    return 0
