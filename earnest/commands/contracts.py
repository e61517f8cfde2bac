"""List contracts, or show one with its milestones and what may happen next."""

import argparse
import asyncio
import sys
from typing import Any, Final

from earnest import asking

STATES: Final = ("PROPOSED", "ACTIVE", "COMPLETED", "DECLINED", "WITHDRAWN", "EXPIRED", "ENDED")
FIRST_MAX: Final = 100

_LIST: Final = """
query Contracts($filter: ContractFilter, $first: Int) {
  contracts(filter: $filter, first: $first) {
    nodes { id title state currency progress { total closed amount { amount } } }
    pageInfo { hasNextPage }
  }
}
"""

_SHOW: Final = """
query Contract($id: ID!) {
  contract(id: $id) {
    id title state revision currency
    client { name } freelancer { name }
    milestones { id position title state amount { amount } dueOn allowedActions { action allowed } }
    allowedActions { action allowed }
    nextDeadline { at action }
  }
}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which contracts, and as whom; by default as the demo's client where `earnest up` runs."""
    commands = parser.add_subparsers(metavar="list|show", required=True)
    listing = commands.add_parser("list", help="the contracts that the key sees, the newest first")
    listing.add_argument("--state", choices=STATES, help="only those in this state")
    listing.add_argument("--search", metavar="WORDS", help="only those with these words in their titles")
    listing.add_argument("--first", type=int, default=20, help="how many at most, up to 100; default: %(default)s")
    listing.set_defaults(answer=listed)
    showing = commands.add_parser("show", help="one contract")
    showing.add_argument("id", help="ctr_…")
    showing.set_defaults(answer=shown)
    for one in (listing, showing):
        asking.add_arguments(one)


def run(args: argparse.Namespace) -> int:
    """Print it; the code is 1 if there is no such contract, or nobody answered."""
    from earnest.api_client import Api, ApiError

    try:
        lines = asyncio.run(args.answer(Api(*asking.door(args)), args))
    except ApiError as error:
        print(f"earnest: {error}", file=sys.stderr)
        return 1
    for line in lines:
        print(line)
    return 0


async def listed(api: Any, args: argparse.Namespace) -> list[str]:
    """A line for each contract, and one that says if there are more."""
    if not 1 <= args.first <= FIRST_MAX:
        from earnest.run.refusing import CannotStart

        raise CannotStart(f"--first must be from 1 to {FIRST_MAX}, not {args.first}")
    wanted = {"state": [args.state] if args.state else None, "title": args.search}
    data = await api.ask(_LIST, filter=wanted, first=args.first)
    found = data["contracts"]
    lines = [_in_a_line(contract) for contract in found["nodes"]]
    if found["pageInfo"]["hasNextPage"]:
        lines.append(f"… and more: --first {FIRST_MAX}, --state and --search show others")
    return lines or ["There is no such contract."]


def _in_a_line(contract: dict[str, Any]) -> str:
    progress = contract["progress"]
    amount = f"{progress['amount']['amount']} {contract['currency']}"
    done = f"{progress['closed']}/{progress['total']}"
    return f"{contract['id']}  {contract['state']:<9} {done:>7}  {amount:>18}  {contract['title']}"


async def shown(api: Any, args: argparse.Namespace) -> list[str]:
    """The contract, a line for each milestone with what the key's account may do with it, and the next deadline."""
    contract = (await api.ask(_SHOW, id=args.id))["contract"]
    if contract is None:
        from earnest.api_client import Refused

        raise Refused("NOT_FOUND", f"there is no contract {args.id}, or this key doesn't see it")
    parties = f"{contract['client']['name']} pays {contract['freelancer']['name']}"
    lines = [
        f"{contract['title']}  ({contract['id']})",
        f"{contract['state']}, revision {contract['revision']}; {parties} in {contract['currency']}",
    ]
    for one in contract["milestones"]:
        stands = f"{one['position']:>3}  {one['state']:<10} {one['amount']['amount']:>14}  {one['dueOn']}"
        lines.append(f"{stands}  {one['title']}  ({one['id']})")
        lines += _allowed(one, "       ")
    lines += _allowed(contract, "")
    deadline = contract["nextDeadline"]
    return [*lines, f"Next deadline: {deadline['action']} at {deadline['at']}"] if deadline else lines


def _allowed(subject: dict[str, Any], indent: str) -> list[str]:
    names = [one["action"] for one in subject["allowedActions"] if one["allowed"]]
    return [f"{indent}allowed now: {', '.join(names)}"] if names else []
