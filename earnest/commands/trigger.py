"""Make a contract of the sandbox do what an event tells of: earnest trigger milestone.released."""

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any, Final

from earnest import asking

NAMES: Final = "list"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which event; by default where `earnest up` runs, as the demo's people."""
    parser.add_argument(
        "event", help=f"its type, such as milestone.released; “{NAMES}” prints all that can be triggered"
    )
    parser.add_argument("--keys", type=Path, help="the file with the demo's keys; default: .earnest/demo-keys.json")
    parser.add_argument("--url", help="the address of Earnest; default: that in the file with the keys")
    parser.add_argument("--yes", action="store_true", help="let the test clock be moved, where the event needs it")


def run(args: argparse.Namespace) -> int:
    """Print each event of the new contract as it happens; the code is 1 if the one that was asked for didn't come."""
    from earnest.api_client import ApiError
    from earnest.triggers import WAYS

    if args.event == NAMES:
        print("\n".join(sorted(WAYS)))
        return 0
    try:
        contract_id = asyncio.run(trigger(args))
    except ApiError as error:
        print(f"earnest: {args.event} was not triggered: {error}", file=sys.stderr)
        return 1
    print(f"\n{args.event} happened on {contract_id}")
    return 0


async def trigger(args: argparse.Namespace) -> str:
    """Go the way to the event. Refuses with `CannotStart` an event without one, and a clock that may not be moved."""
    from earnest.demo.timeline import Event, line
    from earnest.run.refusing import CannotStart
    from earnest.triggers import Scene, way_to

    way = way_to(args.event)
    people = asking.people(args)
    if way.moves_clock and not args.yes:
        raise CannotStart(f"{args.event} needs time to pass, for every contract of {people.url}: say --yes if it may")
    names = {person.account: role for role, person in people.by_role().items()}

    def show(event: Event) -> None:
        print(line(event, names), flush=True)

    apis: dict[str, Any] = people.apis()
    scene = Scene(**apis, say=lambda _: None, show=show)
    return await way.go(scene, people.client.account, people.freelancer.account, args.event)
