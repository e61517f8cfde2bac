"""Compare the payment provider's books with the ledger, both ways; exit with 1 while anything differs."""

import argparse
import asyncio
from datetime import datetime

from earnest.options import moment
from earnest.run.refusing import CannotStart

DIFFERENT = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--since",
        type=moment,
        metavar="WHEN",
        help="read the provider's books from this date or time on (2026-11-29, 2026-11-29T08:00:00Z); by default from two days "
        "before the newest movement that is known",
    )


def run(args: argparse.Namespace) -> int:
    """Print each difference that is open, on a line of its own; it may run beside a working deployment.

    Raises `CannotStart` where the provider doesn't tell its books, or the key is another account's.
    """
    from escrow.payments.results import ProviderError

    try:
        differences = asyncio.run(count(args.since))
    except ProviderError as error:
        raise CannotStart(f"the provider's books can't be read: {error}") from None
    if differences:
        print(f"{differences} differences.")
        return DIFFERENT
    print("No differences: what moved at the provider is what crossed clearing, fees and exchanges included.")
    return 0


async def count(since: datetime | None) -> int:
    """Reconcile the deployment, printing what is open; gives how much that is: what differs now, and what differed before and
    couldn't be judged anew, since money of it is on its way, and money of orders that a restore lost."""
    from earnest.operator import connected
    from earnest.run.embedded import deployment
    from escrow import acts
    from escrow.payments import lost, provider_of, reconciliation

    async with deployment() as settings, connected(settings.database_url):
        provider = provider_of(settings)
        try:
            async with acts.noted("Reconcile"):
                outcome = await reconciliation.reconcile(provider, since=since)
        finally:
            await provider.close()
        listed = await reconciliation.open_differences()
        orders_lost = await lost.everything()
        differences = (await reconciliation.standing()).differences
    for one in listed:
        mark = (
            ""
            if one.difference in outcome.found
            else " (from before: it can't be judged while money of it is on its way)"
        )
        print(f"{one.difference}{mark}", flush=True)
    for gone in orders_lost:
        print(f"lost order {gone}; dealt with by hand, `earnest restore --settle {gone.order_id}` says so", flush=True)
    printed = len(listed) + len(orders_lost)
    if differences > printed:
        print(f"… and {differences - printed} more, which are not listed.")
    return differences
