"""Make, list and revoke API keys; as the operator."""

import argparse
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from earnest import operator
from earnest.operator import Answer
from earnest.options import moment
from escrow.access import Actor, Scope

DAYS_MAX = 36_500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One subcommand for each thing to do."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    creation = actions.add_parser("create", help="make a key; prints it, this once")
    _add_whose(creation)
    creation.add_argument("--name", default="command line", help="what it is for")
    creation.add_argument("--member", metavar="MEMBER", help="the member that it acts as; default: as an owner")
    creation.add_argument(
        "--scope",
        action="append",
        choices=list(Scope.spellings()),
        metavar="SCOPE",
        help=f"what it may be used for: {', '.join(Scope)} (or as GraphQL spells them: CONTRACTS_READ); may be repeated; "
        "default: contracts:read, with --operator everything",
    )
    creation.add_argument(
        "--expires", type=expiry, metavar="WHEN", help="a number of days (90d) or a time (2027-01-31T12:00Z)"
    )
    creation.add_argument(
        "--contract", action="append", metavar="CONTRACT", help="limit it to this one; may be repeated"
    )
    creation.set_defaults(handler=create)
    listing = actions.add_parser("list", help="list the keys of an account that were not revoked")
    _add_whose(listing)
    listing.set_defaults(handler=list_keys)
    revoking = actions.add_parser("revoke", help="end a key")
    revoking.add_argument("key", metavar="KEY", help="its id: key_…")
    revoking.set_defaults(handler=revoke)


def _add_whose(parser: argparse.ArgumentParser) -> None:
    whose = parser.add_mutually_exclusive_group(required=True)
    whose.add_argument("--operator", action="store_true", help="of the operator, whose account is made on first use")
    whose.add_argument("--account", metavar="ACCOUNT", help="of this account: acc_…")


def expiry(text: str) -> datetime:
    """A time from now in days (`90d`), or a date or time in ISO 8601, in UTC unless it says otherwise."""
    days = re.fullmatch(r"([0-9]{1,5})d", text)
    if days is not None and 1 <= int(days[1]) <= DAYS_MAX:
        return datetime.now(UTC) + timedelta(days=int(days[1]))
    try:
        return moment(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"“{text}” is neither a number of days (90d) nor a time (2027-01-31T12:00Z)"
        ) from None


def run(args: argparse.Namespace) -> int:
    """Do it as the operator."""
    return operator.run(args.handler, args)


async def create(args: argparse.Namespace, by: Actor) -> Answer:
    """Make a key. The output is the key alone, so that a script can take it; the rest is said beside it."""
    from escrow import ids, pipeline
    from escrow.accounts import commands, tokens

    account_id = await operator.found_operator() if args.operator else args.account
    command = commands.CreateApiKey(
        account_id=account_id,
        key_id=ids.new(ids.Kind.KEY),
        name=args.name,
        scopes=_scopes(args.scope, everything=args.operator),
        token=tokens.new(),
        member_id=args.member,
        contract_ids=tuple(args.contract) if args.contract else None,
        expires_at=args.expires,
    )
    await pipeline.run(command, by=by)
    scopes = ", ".join(scope.value for scope in command.scopes)
    note = f"{command.key_id} of {account_id} for {scopes}; it is shown this once:"
    return Answer(lines=[command.token.text], notes=[note])


def _scopes(given: Sequence[str] | None, *, everything: bool) -> tuple[Scope, ...]:
    if given:
        return tuple(Scope(scope) for scope in given)
    return tuple(Scope) if everything else (Scope.CONTRACTS_READ,)


async def list_keys(args: argparse.Namespace, by: Actor) -> Answer:
    """The keys of an account, oldest first, without their secrets."""
    from earnest.commands.accounts import existing
    from escrow.accounts import queries

    account_id = args.account
    if args.operator:
        account_id = await queries.operator_id()
        if account_id is None:
            return Answer(notes=["There is no operator yet: make its first key with `earnest keys create --operator`"])
    await existing(account_id, by)
    keys = (await queries.keys_of(by, [account_id]))[account_id]
    rows = [
        (
            key.id,
            f"…{key.hint}",
            ",".join(scope.value for scope in key.scopes),
            key.member_id,
            ",".join(key.contract_ids) if key.contract_ids is not None else "all",
            _time(key.expires_at),
            _time(key.last_used_at),
            key.name,
        )
        for key in keys
    ]
    head = ("id", "hint", "scopes", "member", "contracts", "expires", "last used", "name")
    return Answer(lines=operator.table(head, rows))


def _time(at: datetime | None) -> str | None:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ") if at is not None else None


async def revoke(args: argparse.Namespace, by: Actor) -> Answer:
    """End a key."""
    from escrow import lineage, pipeline
    from escrow.accounts import commands

    outcome = await pipeline.run(commands.RevokeApiKey(key_id=args.key), by=by)
    await lineage.end_sessions_elsewhere(outcome, by=by)
    return Answer(notes=[f"{args.key} is revoked" + ("" if outcome.recorded else " already")])
