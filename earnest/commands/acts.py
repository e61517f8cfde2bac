"""Show what operators did, or which credentials were refused, newest first; both logs can only grow."""

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from earnest import operator
from earnest.operator import Answer
from earnest.options import whole
from escrow.access import Actor

if TYPE_CHECKING:  # a command imports what it needs once it runs
    from escrow.acts import Act

SHOWN: Final = 100
SHOWN_MAX: Final = 100_000
ID_MAX: Final = (1 << 63) - 1
"""No line has a greater one."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which log, and how much of it."""
    parser.add_argument("--refused", action="store_true", help="the credentials that named nobody, instead")
    parser.add_argument(
        "--limit", type=whole(1, SHOWN_MAX), default=SHOWN, metavar="N", help="how many at most; default: %(default)s"
    )
    parser.add_argument(
        "--before", type=whole(1, ID_MAX), default=ID_MAX, metavar="ID", help="go on from the last line that was shown"
    )


def run(args: argparse.Namespace) -> int:
    """Show them."""
    return operator.run(show_refused if args.refused else show_acts, args)


async def show_acts(args: argparse.Namespace, _: Actor) -> Answer:
    """What operators set out to do, and what came of it."""
    from escrow import acts

    rows = [
        (act.id, _time(act.at), act.credential or "command line", act.act, act.subject, _end(act), act.trace_id)
        for act in await acts.latest(args.limit, before=args.before)
    ]
    return Answer(lines=operator.table(("id", "at", "by", "act", "subject", "end", "trace"), rows))


def _end(act: "Act") -> str:
    if act.ended_at is None:
        return "unknown"
    return act.code or "done"


async def show_refused(args: argparse.Namespace, _: Actor) -> Answer:
    """Who showed what nobody has, some lines a minute."""
    from escrow import refused_credentials

    rows = [
        (one.id, _time(one.since), _time(one.until), one.client or "others", one.reason, one.times, one.trace_id)
        for one in await refused_credentials.latest(args.limit, before=args.before)
    ]
    return Answer(lines=operator.table(("id", "since", "until", "client", "reason", "times", "last trace"), rows))


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
