"""Play a story event by event: by default a website project, from the proposal to the last payout."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path
from typing import Final

STORY_NAMES: Final = ("website", "counter-offer", "change-request", "refund", "dispute", "stripe")
"""What can be played; the same as `earnest.demo.people` tells. The last needs the stand-in for Stripe as provider."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to play; by default in a deployment of its own that is gone afterwards."""
    parser.add_argument("--url", help="the address of a running Earnest, such as http://127.0.0.1:8000")
    parser.add_argument("--keys", type=Path, help="the file with the keys; default: .earnest/demo-keys.json")
    parser.add_argument(
        "--yes",
        action="store_true",
        help="play where `earnest up` runs in this folder, or where --url says, without asking: "
        "the story moves the test clock there, for every contract",
    )
    parser.add_argument("--story", choices=STORY_NAMES, default=STORY_NAMES[0], help="which one; default: %(default)s")
    parser.add_argument("--bodies", action="store_true", help="show each event as it was sealed and hashed, too")


def run(args: argparse.Namespace) -> int:
    """Play it; the exit code is 1 if the story could not be told to its end."""
    from earnest.api_client import ApiError

    try:
        asyncio.run(tell(args.url, args.keys, bodies=args.bodies, story=args.story, yes=args.yes))
    except ApiError as error:
        print(f"earnest: the demo stopped: {error}", file=sys.stderr)
        return 1
    return 0


async def tell(url: str | None, keys: Path | None, *, bodies: bool, story: str, yes: bool = False) -> None:
    """Find the stage, or set one up, and play."""
    from earnest.demo import stage
    from earnest.demo.people import STRIPE, play
    from earnest.run.stand_in import STRIPE_STAND_IN

    provider = STRIPE_STAND_IN if story == STRIPE else None
    agreed = (lambda _: True) if yes else agreed_to
    async with stage.found(url, keys, provider=provider, agreed=agreed) as people:
        await play(people, lambda line: print(line, flush=True), bodies=bodies, story=story)


def agreed_to(url: str) -> bool:
    """Whether whoever sits there lets the story move the clock of a deployment; where nobody sits, nobody agrees."""
    if not sys.stdin.isatty():
        return False
    print(
        f"Earnest runs at {url}. The story moves its test clock some days on, for every contract there.",
        file=sys.stderr,
    )
    print("Play it there? Else it plays in a deployment of its own. [y/N] ", end="", file=sys.stderr, flush=True)
    return _typed().strip().lower() in ("y", "yes")


def _typed() -> str:
    """A line from whoever sits there. Ctrl-C ends it at once: the event loop would hear it only after the line."""
    heard = signal.getsignal(signal.SIGINT)
    if callable(heard):
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return sys.stdin.readline()
    finally:
        signal.signal(signal.SIGINT, heard)
