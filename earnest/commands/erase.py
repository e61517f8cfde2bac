"""Erase people's words from a contract; its events, their hashes and the books stay whole."""

import argparse
import asyncio
import sys

from earnest.options import identifier

REFUSED = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The contract, and one event of it if not all its words are to go."""
    parser.add_argument("contract", type=identifier, metavar="CONTRACT", help="the contract's id, ctr_…")
    parser.add_argument("--event", type=identifier, metavar="EVT", help="only the words of this event, evt_…")


def run(args: argparse.Namespace) -> int:
    """Erase, and say how many texts it were. There is no way back."""
    from escrow.errors import DomainError

    try:
        erased = asyncio.run(apply(args.contract, args.event))
    except DomainError as refusal:
        print(f"earnest: {refusal.message}", file=sys.stderr)
        return REFUSED
    print(f"{erased} texts erased." if erased else "There was nothing left to erase.")
    return 0


async def apply(contract_id: str, event_id: str | None) -> int:
    """Erase in the deployment's database; gives the number of texts."""
    from earnest.operator import connected
    from earnest.run.embedded import deployment
    from escrow import acts
    from escrow.erasure import erase

    async with (
        deployment() as settings,
        connected(settings.database_url),
        acts.noted("EraseWords", subject=event_id or contract_id),
    ):
        return await erase(contract_id, event_id=event_id)
