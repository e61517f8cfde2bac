"""Print each event as it happens, and forward it to a program on this machine, signed as in production."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path
from urllib.parse import urlsplit

ROLES = ("client", "freelancer", "mediator", "operator")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whose events, which ones, and where to; by default those of the demo's client where `earnest up` runs."""
    parser.add_argument("--forward-to", type=program, metavar="URL", help="the program: http://127.0.0.1:3000/webhooks")
    parser.add_argument("--as", dest="role", choices=ROLES, default="client", help="whose key of the demo to use")
    parser.add_argument("--keys", type=Path, help="the file with the demo's keys; default: .earnest/demo-keys.json")
    parser.add_argument("--url", help="the address of Earnest; default: that in the file with the keys")
    parser.add_argument(
        "--key", help="a key of an owner with the scopes webhooks:manage and contracts:read, in place of the demo's"
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
    url, key = _door(args, directory)
    api = Api(url, key)
    viewer = (await api.ask("query Who { viewer { accountId } }"))["viewer"]
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    listener = Listener(
        api,
        account_id=viewer["accountId"],
        directory=directory,
        forward_to=args.forward_to,
        event_types=args.event or ["*"],
        say=lambda text: print(text, flush=True),
    )
    await listener.run(stop)


def _door(args: argparse.Namespace, directory: Path) -> tuple[str, str]:
    """Where Earnest is, and the key to it."""
    from earnest.demo.people import KEYS_FILE, read_keys
    from earnest.run.refusing import CannotStart

    if args.url is not None and args.key is not None:
        return args.url, args.key
    path = args.keys or directory / KEYS_FILE
    people = read_keys(path)
    if people is None:
        raise CannotStart(f"there are no keys in {path}: start Earnest here first (make run), or give --url and --key")
    return args.url or people.url, args.key or people.by_role()[args.role].key
