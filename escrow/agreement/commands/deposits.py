"""Commands on deposits: the client starts and cancels them, the payment provider reports what became of them."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from escrow.agreement.commands.base import Made, PartyCommand, Report
from escrow.money import Money
from escrow.rules import Action
from escrow.states import ActionKind


class Fund(PartyCommand):
    """Starts the deposit for one planned milestone."""

    action: ClassVar = Action.FUND
    milestone_id: str
    deposit_id: Made
    order_id: Made
    payment_token: str | None = None
    revision: int | None = None


class FundContract(PartyCommand):
    """Starts one deposit for every planned milestone."""

    action: ClassVar = Action.FUND_CONTRACT
    contract_id: str
    deposit_id: Made
    order_id: Made
    payment_token: str | None = None
    revision: int | None = None


class CancelFunding(PartyCommand):
    """Abandons a deposit that the provider has not confirmed."""

    action: ClassVar = Action.CANCEL_FUNDING
    milestone_id: str


class ConfirmDeposit(Report):
    """The provider took the client's money: `amount` is what it says that it took."""

    deposit_id: str
    amount: Money


class FailDeposit(Report):
    """The provider could not take the client's money."""

    deposit_id: str
    reason: str


class RequireAction(Report):
    """The provider goes on once the payer has done something; it waits until `until`, in domain time, if it says so."""

    deposit_id: str
    kind: ActionKind
    until: datetime | None = None


class EndAction(Report):
    """The payer has done what was asked, and the provider has no result yet."""

    deposit_id: str
