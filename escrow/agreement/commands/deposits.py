"""Commands that ask for money to move, what the payment provider reports, and the step that nobody asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from escrow.lifecycle import Action, ReversalOutcome
from escrow.money import Money, RawMoney


@dataclass(frozen=True, slots=True, kw_only=True)
class Fund:
    """Starts the deposit for one planned milestone."""

    action: ClassVar = Action.FUND
    milestone_id: str
    deposit_id: str
    order_id: str
    payment_token: str | None = None
    revision: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FundContract:
    """Starts one deposit for every planned milestone."""

    action: ClassVar = Action.FUND_CONTRACT
    contract_id: str
    deposit_id: str
    order_id: str
    payment_token: str | None = None
    revision: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelFunding:
    """Abandons a deposit that the provider has not confirmed."""

    action: ClassVar = Action.CANCEL_FUNDING
    milestone_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPayout:
    """Asks for what is payable to the freelancer of one contract, all of it unless ``amount`` says less."""

    action: ClassVar = Action.REQUEST_PAYOUT
    contract_id: str
    order_id: str
    amount: RawMoney | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPayouts:
    """Has the freelancer of one contract paid out whenever it is paid something, or only when it asks."""

    action: ClassVar = Action.SET_PAYOUTS
    contract_id: str
    automatic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveReversal:
    """Says how the argument about a reversed deposit ended."""

    action: ClassVar = Action.RESOLVE_REVERSAL
    deposit_id: str
    outcome: ReversalOutcome
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmDeposit:
    """The provider took the client's money: ``amount`` is what it says that it took."""

    contract_id: str
    deposit_id: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class FailDeposit:
    """The provider could not take the client's money."""

    contract_id: str
    deposit_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReverseDeposit:
    """The provider took a confirmed deposit back: a chargeback."""

    contract_id: str
    deposit_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmOrder:
    """The provider carried out a refund or a payout."""

    contract_id: str
    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FailOrder:
    """The provider could not carry out a refund or a payout."""

    contract_id: str
    order_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyDeadlines:
    """Nothing but what is due anyway: the step that a sweep takes."""

    contract_id: str
