"""Commands on the work of a milestone and its review."""

from __future__ import annotations

from typing import ClassVar

from escrow.agreement.commands.base import Made, PartyCommand
from escrow.agreement.state import Attachment
from escrow.money import RawMoney
from escrow.rules import Action


class Submit(PartyCommand):
    """Hands in the work of a milestone."""

    action: ClassVar = Action.SUBMIT
    milestone_id: str
    submission_id: Made
    message: str
    links: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()


class Approve(PartyCommand):
    """Releases what a milestone holds, or `amount` of it, with a bonus if one is given; on a released one only the bonus.

    What a smaller amount leaves rolls forward to the next milestone. The bonus is a deposit of its own, which
    `bonus_deposit_id` and `bonus_order_id` name.
    """

    action: ClassVar = Action.APPROVE
    milestone_id: str
    message: str | None = None
    amount: RawMoney | None = None
    bonus: RawMoney | None = None
    bonus_deposit_id: Made | None = None
    bonus_order_id: Made | None = None
    payment_token: str | None = None


class RequestChanges(PartyCommand):
    """Sends submitted work back with a note."""

    action: ClassVar = Action.REQUEST_CHANGES
    milestone_id: str
    note: str
