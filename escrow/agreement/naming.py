"""Finds the object that a command is about, and the versions and amounts that it names."""

from __future__ import annotations

from escrow.agreement import commands
from escrow.agreement.state import Contract
from escrow.agreement.subjects import Named, naming_of
from escrow.errors import InvalidInput
from escrow.money import RawMoney, exact
from escrow.rules import RULES


def subject_id_of(command: commands.PartyCommand) -> str | None:
    """The identifier of the milestone, deposit, change request, refund request or dispute that the command is about."""
    found: str | None = getattr(command, naming_of(RULES[command.action]).field, None)
    return found


def named_by(state: Contract, command: commands.PartyCommand) -> Named:
    """What the command names beside its subject."""
    named = Named(
        revision=getattr(command, "revision", None),
        plan_version=getattr(command, "expected_version", None),
        milestone_ids=command.milestone_ids,
    )
    match command:
        case commands.End(giving_up=RawMoney() as raw):
            return Named(giving_up_minor=_minor(state, raw))
        case commands.AcceptSettlement(to_freelancer=raw):
            return Named(settlement_minor=_minor(state, raw))
        case commands.Approve(milestone_id=milestone_id, amount=amount, bonus=bonus):
            return Named(is_part=_is_part(state, milestone_id, amount), with_bonus=bonus is not None)
        case commands.GiveRefund(milestone_id=milestone_id, amount=amount):
            return Named(is_part=_is_part(state, milestone_id, amount))
        case _:
            return named


def _minor(state: Contract, raw: RawMoney) -> int | None:
    """The sum in minor units; `None` if it isn't one, which is refused later."""
    try:
        return exact(raw, currency=state.currency, field="amount", or_nothing=True).minor
    except InvalidInput:
        return None


def _is_part(state: Contract, milestone_id: str, raw: RawMoney | None) -> bool:
    milestone = state.milestone(milestone_id)
    return raw is not None and milestone is not None and _minor(state, raw) != milestone.held_minor
