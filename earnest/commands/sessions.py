"""Make a link that opens the console signed in, list and end sessions; as the operator."""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from earnest import operator
from earnest.operator import Answer
from escrow.access import Actor, Scope

HOURS_MAX = 12
DEMO_ROLES = ("client", "freelancer", "mediator", "operator")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One subcommand for each thing to do."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    linking = actions.add_parser("link", help="make a link; prints it, this once: it opens once and within ten minutes")
    whose = _add_whose(linking)
    whose.add_argument("--member", metavar="MEMBER", help="as this member of an account: mem_…")
    whose.add_argument("--demo", choices=DEMO_ROLES, help="as one of the people of a sandbox's demo")
    linking.add_argument(
        "--scope",
        action="append",
        choices=list(Scope.spellings()),
        metavar="SCOPE",
        help=f"what it may be used for: {', '.join(Scope)} (or as GraphQL spells them: CONTRACTS_READ); may be repeated; "
        "default: everything that the account may",
    )
    linking.add_argument(
        "--contract", action="append", metavar="CONTRACT", help="limit it to this one; may be repeated"
    )
    linking.add_argument(
        "--origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="let pages of this origin use it, too; may be repeated",
    )
    linking.add_argument(
        "--hours", type=hours, default=1.0, metavar="N", help="how long the session lasts, up to 12; default: 1"
    )
    linking.set_defaults(handler=link)
    listing = actions.add_parser("list", help="list the sessions of an account, and the links that wait")
    _add_whose(listing)
    listing.set_defaults(handler=list_sessions)
    revoking = actions.add_parser("revoke", help="end a session, or a link that waits")
    revoking.add_argument("session", metavar="SESSION", help="its id: ses_…")
    revoking.set_defaults(handler=revoke)


def _add_whose(parser: argparse.ArgumentParser) -> "argparse._MutuallyExclusiveGroup":
    whose = parser.add_mutually_exclusive_group(required=True)
    whose.add_argument("--operator", action="store_true", help="of the operator, whose account is made on first use")
    whose.add_argument("--account", metavar="ACCOUNT", help="of this account: acc_…")
    return whose


def hours(text: str) -> float:
    """How long a session lasts: above 0, up to 12 hours."""
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found <= HOURS_MAX:
        raise argparse.ArgumentTypeError(f"“{text}” is no number of hours up to {HOURS_MAX}")
    return found


def run(args: argparse.Namespace) -> int:
    """Do it as the operator."""
    return operator.run(args.handler, args)


async def link(args: argparse.Namespace, by: Actor) -> Answer:
    """Make a link. The output is the link alone, so that a script can take it; the rest is said beside it."""
    from escrow import ids, pipeline
    from escrow.accounts import commands, links, tokens

    account_id = await _account_of(args)
    is_operators = args.operator or (account_id is not None and account_id == by.account_id)
    command = commands.CreateSession(
        session_id=ids.new(ids.Kind.SESSION),
        account_id=account_id,
        member_id=args.member,
        scopes=_scopes(args.scope, everything=is_operators),
        token=tokens.new(tokens.LINK),
        contract_ids=tuple(args.contract) if args.contract else None,
        origins=tuple(args.origin),
        lifetime=timedelta(seconds=round(args.hours * 3600)),
        is_link=True,
    )
    outcome = await pipeline.run(command, by=by)
    scopes = ", ".join(scope.value for scope in command.scopes)
    note = f"{command.session_id} of {outcome.account.id} for {scopes}; it opens once, within ten minutes:"
    return Answer(lines=[links.address(command.token.text)], notes=[note])


async def _account_of(args: argparse.Namespace) -> str | None:
    """The account that is named; `None` for that of a member."""
    from earnest.demo.people import demo_account

    if args.operator:
        return await operator.found_operator()
    return demo_account(args.demo) if args.demo else args.account


def _scopes(given: Sequence[str] | None, *, everything: bool) -> tuple[Scope, ...]:
    if given:
        return tuple(Scope(scope) for scope in given)
    return tuple(scope for scope in Scope if everything or scope is not Scope.OPERATOR)


async def list_sessions(args: argparse.Namespace, by: Actor) -> Answer:
    """The sessions of an account, oldest first, without their tokens."""
    from earnest.commands.accounts import existing
    from escrow.accounts import queries

    account_id = args.account
    if args.operator:
        account_id = await queries.operator_id()
        if account_id is None:
            return Answer(notes=["There is no operator yet: the first key or link of it makes it"])
    await existing(account_id, by)
    rows = [
        (
            one.id,
            f"…{one.hint}",
            "link" if one.is_waiting else "open",
            ",".join(scope.value for scope in one.scopes),
            one.member_id,
            ",".join(one.contract_ids) if one.contract_ids is not None else "all",
            ",".join(one.origins) or "own",
            _time(one.expires_at),
        )
        for one in (view.session for view in (await queries.sessions_of(by, [account_id]))[account_id])
    ]
    head = ("id", "hint", "state", "scopes", "member", "contracts", "origins", "expires")
    return Answer(lines=operator.table(head, rows))


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")


async def revoke(args: argparse.Namespace, by: Actor) -> Answer:
    """End a session."""
    from escrow import pipeline
    from escrow.accounts import commands

    outcome = await pipeline.run(commands.RevokeSession(session_id=args.session), by=by)
    return Answer(notes=[f"{args.session} is ended" + ("" if outcome.recorded else " already")])
