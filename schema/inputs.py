"""Defines the inputs that several mutations share; only their shape is checked here, their values in the domain."""

from __future__ import annotations

import dataclasses
from datetime import date
from decimal import Decimal

import strawberry

from escrow import ids
from escrow.agreement.commands import MilestoneDraft
from escrow.ids import Kind
from escrow.money import RawMoney
from schema.engine.fields import optional
from schema.scalars import CurrencyCode, DecimalText


@strawberry.input(description="An amount of one currency.")
class MoneyInput:
    amount: DecimalText = strawberry.field(
        description="The amount in major units, as a string with at most as many decimals as the currency has: `1250.00`."
    )
    currency: CurrencyCode = strawberry.field(description="The currency.")


@strawberry.input(description="A milestone as a plan describes it.")
class MilestoneInput:
    title: str = strawberry.field(description="What it is called, 1 to 200 characters.")
    purpose: str = strawberry.field(description="What it is for, 1 to 2,000 characters.")
    amount: MoneyInput = strawberry.field(description="Its price, in the contract's currency.")
    due_on: date = strawberry.field(description="When it is due, a calendar date in the contract's time zone.")
    deliverables: list[str] = strawberry.field(
        default_factory=list, description="What will be delivered, at most 20 short texts."
    )


@strawberry.input(
    description="How long silence may last, in hours. What is null is the default, or in a revision as before."
)
class WindowsInput:
    offer_hours: int | None = optional("Until the proposal expires: 1 to 2160, by default 720 (30 days).")
    deposit_hours: int | None = optional("Until an unconfirmed deposit is abandoned: 1 to 2160, by default 72.")
    review_hours: int | None = optional(
        "Until submitted work counts as approved: 48 to 2160, by default 336 (14 days)."
    )
    refund_answer_hours: int | None = optional("To answer a refund request: 48 to 2160, by default 168 (7 days).")
    dispute_answer_hours: int | None = optional("To answer a dispute: 48 to 2160, by default 168 (7 days).")
    mediation_hours: int | None = optional(
        "Until a dispute in mediation is overdue: 24 to 2160, by default 720 (30 days)."
    )


@strawberry.input(description="A file that lies elsewhere.")
class AttachmentInput:
    name: str = strawberry.field(description="Its name, 1 to 255 characters.")
    sha256: str = strawberry.field(description="The sha256 of its content: 64 hexadecimal digits.")


def raw_money(given: MoneyInput) -> RawMoney:
    """The amount as it was written; whether it is one of its currency is decided with the command."""
    return RawMoney(Decimal(given.amount), given.currency)


def raw_money_or_none(given: MoneyInput | None) -> RawMoney | None:
    return raw_money(given) if given is not None else None


def draft(given: MilestoneInput) -> MilestoneDraft:
    """A milestone with an identifier of its own."""
    return MilestoneDraft(
        id=ids.new(Kind.MILESTONE),
        title=given.title,
        purpose=given.purpose,
        amount=raw_money(given.amount),
        due_on=given.due_on,
        deliverables=tuple(given.deliverables),
    )


def hours(given: WindowsInput | None) -> dict[str, int]:
    """The windows that were given, by their names in the domain."""
    if given is None:
        return {}
    return {name: value for name, value in dataclasses.asdict(given).items() if value is not None}
