"""Open, list, disable and enable accounts, appoint mediators, and look after members; as the operator."""

import argparse
import sys

from earnest import operator
from earnest.operator import Answer
from earnest.run.refusing import CannotStart
from escrow.access import AccountType, Actor, Role

PAGE = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One subcommand for each thing to do."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    creation = actions.add_parser("create", help="open an account; prints its id")
    creation.add_argument("name", metavar="NAME", help="how it is called")
    creation.add_argument(
        "--type", choices=[one.lower() for one in AccountType], default="company", help="default: company"
    )
    creation.add_argument("--owner", metavar="PERSON", help="its first owner: an e-mail address or a subject")
    creation.add_argument("--owner-name", metavar="NAME", help="how the owner is called; default: the person")
    creation.set_defaults(handler=create)
    actions.add_parser("list", help="list all accounts").set_defaults(handler=list_all)
    for name, command, described, done in (
        ("disable", "DisableAccount", "bar an account from new business", "is disabled"),
        ("enable", "EnableAccount", "take the bar away", "is enabled"),
        ("appoint", "AppointMediator", "let an account decide disputes", "decides disputes"),
        ("dismiss", "DismissMediator", "take that back", "decides no disputes"),
    ):
        action = actions.add_parser(name, help=described)
        action.add_argument("account", metavar="ACCOUNT", help="its id: acc_…")
        action.set_defaults(handler=carry_out, command=command, done=done)
    rate = actions.add_parser("rate", help="say how much of the service an account may use")
    rate.add_argument("account", metavar="ACCOUNT", help="its id: acc_…")
    rate.add_argument("points", metavar="POINTS", help="points a second, or “default” for what is granted to all")
    rate.set_defaults(handler=set_rate)
    _add_members(actions.add_parser("members", help="add, remove and list the members of an account"))


def _add_members(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    adding = actions.add_parser("add", help="let a person act for an account; prints the member's id")
    adding.add_argument("account", metavar="ACCOUNT", help="its id: acc_…")
    adding.add_argument("person", metavar="PERSON", help="an e-mail address or an identity provider's subject")
    adding.add_argument("--name", help="how the person is called; default: the person")
    adding.add_argument("--role", choices=[one.lower() for one in Role], default="member", help="default: member")
    adding.set_defaults(handler=add_member)
    removing = actions.add_parser("remove", help="take that back; ends the member's keys")
    removing.add_argument("member", metavar="MEMBER", help="the member's id: mem_…")
    removing.set_defaults(handler=remove_member)
    erasing = actions.add_parser("erase", help="forget who a removed member was; the log stays whole")
    erasing.add_argument("member", metavar="MEMBER", help="the member's id: mem_…")
    erasing.set_defaults(handler=erase_member)
    listing = actions.add_parser("list", help="list the members of an account")
    listing.add_argument("account", metavar="ACCOUNT", help="its id: acc_…")
    listing.set_defaults(handler=list_members)


def run(args: argparse.Namespace) -> int:
    """Do it as the operator."""
    return operator.run(args.handler, args)


async def create(args: argparse.Namespace, by: Actor) -> Answer:
    """Open an account, with its first owner if one is named."""
    from escrow import ids, pipeline
    from escrow.accounts import commands

    owner = None
    if args.owner is None and args.owner_name is not None:
        raise CannotStart("--owner-name says only how the owner is called: name the person with --owner, too")
    if args.owner is not None:
        member_id = ids.new(ids.Kind.MEMBER)
        owner = commands.MemberDraft(member_id=member_id, person=args.owner, name=args.owner_name or args.owner)
    account_id, account_type = ids.new(ids.Kind.ACCOUNT), AccountType(args.type.upper())
    creation = commands.CreateAccount(account_id=account_id, name=args.name, type=account_type, owner=owner)
    outcome = await pipeline.run(creation, by=by)
    return Answer(lines=[outcome.account.id])


async def list_all(_: argparse.Namespace, by: Actor) -> Answer:
    """All accounts, oldest first."""
    from escrow.accounts import queries

    found: list[queries.AccountView] = []
    while not found or len(found) % PAGE == 0:
        page = await queries.accounts_page(by, first=PAGE, after=found[-1].id if found else None)
        if not page:
            break
        found += page
    rows = [(one.id, one.type.lower(), _standing(one), one.name) for one in found]
    return Answer(lines=operator.table(("id", "type", "standing", "name"), rows))


def _standing(account: object) -> str:
    words = [
        word
        for word, attribute in (("operator", "is_operator"), ("mediator", "is_mediator"), ("disabled", "disabled_at"))
        if getattr(account, attribute)
    ]
    return ", ".join(words) or "-"


async def carry_out(args: argparse.Namespace, by: Actor) -> Answer:
    """Give the command of that name, which says nothing but the account."""
    from escrow import pipeline
    from escrow.accounts import commands

    command = getattr(commands, args.command)(account_id=args.account)
    return Answer(notes=[f"{args.account} {args.done}{_already(await pipeline.run(command, by=by))}"])


async def set_rate(args: argparse.Namespace, by: Actor) -> Answer:
    """Say how much the keys of an account may use."""
    from escrow import pipeline
    from escrow.accounts import commands
    from escrow.environment import shortened, whole_number

    points = None if args.points == "default" else whole_number(args.points, 0, sys.maxsize)
    if points is None and args.points != "default":
        raise CannotStart(
            f"the rate is {shortened(args.points)}; it must be points a second, such as 50000, or default"
        )
    await pipeline.run(commands.SetRate(account_id=args.account, points_per_second=points), by=by)
    return Answer(
        notes=[f"{args.account} may use {f'{points} points a second' if points else 'what is granted to all'}"]
    )


async def add_member(args: argparse.Namespace, by: Actor) -> Answer:
    """Let a person act for an account."""
    from escrow import ids, pipeline
    from escrow.accounts import commands

    command = commands.AddMember(
        account_id=args.account,
        member_id=ids.new(ids.Kind.MEMBER),
        person=args.person,
        name=args.name or args.person,
        role=Role(args.role.upper()),
    )
    await pipeline.run(command, by=by)
    return Answer(lines=[command.member_id])


async def remove_member(args: argparse.Namespace, by: Actor) -> Answer:
    """Take that back, and end the member's keys and sessions."""
    from escrow import lineage, pipeline
    from escrow.accounts import commands

    outcome = await pipeline.run(commands.RemoveMember(member_id=args.member), by=by)
    await lineage.end_sessions_elsewhere(outcome, by=by)
    return Answer(notes=[f"{args.member} is removed{_already(outcome)}"])


async def erase_member(args: argparse.Namespace, by: Actor) -> Answer:
    """Forget who a removed member was."""
    from escrow import acts
    from escrow.accounts import erasure

    async with acts.noted("EraseMember", by=by, subject=args.member):
        erased = await erasure.erase_member(args.member)
    return Answer(notes=[f"{args.member} is forgotten" + ("" if erased else " already")])


async def list_members(args: argparse.Namespace, by: Actor) -> Answer:
    """The present members of an account, oldest first."""
    from escrow.accounts import queries

    await existing(args.account, by)
    members = (await queries.members_of(by, [args.account]))[args.account]
    rows = [(one.id, one.role.lower(), one.person, one.name) for one in members]
    return Answer(lines=operator.table(("id", "role", "person", "name"), rows))


async def existing(account_id: str, by: Actor) -> None:
    """Refuse an account that isn't there with `NotFound`."""
    from escrow.accounts import queries
    from escrow.errors import NotFound

    if account_id not in await queries.accounts_by_id(by, [account_id]):
        raise NotFound(f"There is no account {account_id}.")


def _already(outcome: object) -> str:
    return "" if getattr(outcome, "recorded", True) else " already"
