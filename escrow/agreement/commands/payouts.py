"""Commands on payouts to the freelancer."""

from __future__ import annotations

from typing import ClassVar

from escrow.agreement.commands.base import Made, PartyCommand
from escrow.money import RawMoney
from escrow.rules import Action


class RequestPayout(PartyCommand):
    """Asks for what is payable to the freelancer of one contract, all of it unless `amount` says less."""

    action: ClassVar = Action.REQUEST_PAYOUT
    contract_id: str
    order_id: Made
    amount: RawMoney | None = None


class SetPayouts(PartyCommand):
    """Has the freelancer of one contract paid out whenever it is paid something, or only when it asks."""

    action: ClassVar = Action.SET_PAYOUTS
    contract_id: str
    automatic: bool
