"""Set and show the operator's fees, in basis points."""

import argparse

from earnest import operator
from earnest.operator import Answer
from escrow.access import Actor


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One subcommand for each thing to do."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    setting = actions.add_parser("set", help="set both fees; proposals and revisions from now on carry them")
    setting.add_argument("--client", type=int, required=True, metavar="BPS", help="on deposits: 250 is 2.5 %%")
    setting.add_argument("--freelancer", type=int, required=True, metavar="BPS", help="on what the freelancer is paid")
    setting.set_defaults(handler=set_fees)
    actions.add_parser("show", help="show both fees").set_defaults(handler=show)


def run(args: argparse.Namespace) -> int:
    """Do it as the operator."""
    return operator.run(args.handler, args)


async def set_fees(args: argparse.Namespace, by: Actor) -> Answer:
    """Set what the operator takes."""
    from escrow import pipeline
    from escrow.accounts import commands

    await pipeline.run(commands.SetFees(client_bps=args.client, freelancer_bps=args.freelancer), by=by)
    return await show(args, by)


async def show(_: argparse.Namespace, __: Actor) -> Answer:
    """What the operator takes now."""
    from escrow.accounts import queries

    fees = await queries.fees()
    return Answer(
        lines=[
            f"client      {fees.client_bps:>5} basis points  {fees.client_bps / 100:g} % on deposits",
            f"freelancer  {fees.freelancer_bps:>5} basis points  {fees.freelancer_bps / 100:g} % of what is paid",
        ]
    )
