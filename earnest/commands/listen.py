"""Print each event as it happens, and forward it to a program on this machine, signed as in production."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path
from urllib.parse import urlsplit

from earnest import asking


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whose events, which ones, and where to; by default those of the demo's client where `earnest up` runs."""
    parser.add_argument("--forward-to", type=program, metavar="URL", help="the program: http://127.0.0.1:3000/webhooks")
    asking.add_arguments(
        parser, "a key of an owner with the scopes webhooks:manage and contracts:read, in place of the demo's"
    )
    parser.add_argument(
        "--event",
        action="append",
        metavar="TYPE",
        help="only such events: milestone.released or milestone.*; may be repeated",
    )


def program(text: str) -> str:
    """A URL that can be forwarded to."""
    try:
        parts = urlsplit(text)
        is_one = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        raise argparse.ArgumentTypeError(f"“{text}” is no URL such as http://127.0.0.1:3000/webhooks")
    return text


def run(args: argparse.Namespace) -> int:
    """Listen until Ctrl-C; the exit code is 1 if Earnest refused something or went away."""
    from earnest.api_client import ApiError

    try:
        asyncio.run(listen(args))
    except ApiError as error:
        print(f"earnest: listening stopped: {error}", file=sys.stderr)
        return 1
    return 0


async def listen(args: argparse.Namespace) -> None:
    """Find the key, and listen with it until SIGINT or SIGTERM."""
    from earnest.api_client import Api
    from earnest.listening import Listener
    from earnest.run.embedded import DIRECTORY

    directory = Path.cwd() / DIRECTORY
    url, key = asking.door(args, directory)
    api = Api(url, key)
    viewer = (await api.ask("query Who { viewer { accountId } }"))["viewer"]
    stop, is_unread = asyncio.Event(), False

    def say(text: str) -> None:
        nonlocal is_unread
        try:
            print(text, flush=True)
        except BrokenPipeError:  # raised to the request that was told of, it would have that come again and again
            is_unread = True
            stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    listener = Listener(
        api,
        account_id=viewer["accountId"],
        directory=directory,
        forward_to=args.forward_to,
        event_types=args.event or ["*"],
        say=say,
    )
    await listener.run(stop)
    if is_unread:
        raise BrokenPipeError
