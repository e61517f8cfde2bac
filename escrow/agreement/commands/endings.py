"""Commands that end a contract early, or take that back."""

from __future__ import annotations

from typing import ClassVar

from escrow.agreement.commands.base import PartyCommand
from escrow.money import RawMoney
from escrow.rules import Action


class End(PartyCommand):
    """Ends an active contract. The client asks back what is held; the freelancer names what is held and gives it up.

    `giving_up` is the freelancer's: the sum over all milestones, without fees; zero if nothing is held.
    """

    action: ClassVar = Action.END
    contract_id: str
    giving_up: RawMoney | None = None
    message: str | None = None


class WithdrawEnd(PartyCommand):
    """Takes the client's ending back, and the refund requests that it made."""

    action: ClassVar = Action.WITHDRAW_END
    contract_id: str
    message: str | None = None
