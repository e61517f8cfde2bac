"""What tests ask of the adapter: requests as orders make them, with keys that are never used twice by chance."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Final

from escrow.money import Money
from escrow.payments.calls import (
    ChargeRequest,
    PayoutRequest,
    RefundRequest,
    Request,
    Sought,
    Step,
    TakeBackRequest,
    TransferRequest,
    key_of,
)
from escrow.payments.results import Prepared
from escrow.payments.stripe.adapter import Stripe

_NUMBERS: Final = count(1)

VISA: Final = "pm_card_visa"

GROUP: Final = "ctr_0000000000000000000000000"


def usd(minor: int) -> Money:
    """Dollars in cents."""
    return Money(minor, "USD")


def order_id() -> str:
    """An order that nobody has asked about yet."""
    return f"pay_{next(_NUMBERS):026}"


def charge_of(amount: Money, token: str | None = VISA, *, group: str = GROUP) -> ChargeRequest:
    order = order_id()
    key = key_of(order, 1, Step.CONFIRM)
    return ChargeRequest(key=key, order_id=order, group=group, amount=amount, token=token, client_id="acc_client")


async def prepared(stripe: Stripe, request: ChargeRequest) -> str:
    """The identifier of a charge that is made and not confirmed."""
    made = await stripe.prepare(replace(request, key=key_of(request.order_id, 1, Step.PREPARE)))
    assert isinstance(made, Prepared), made
    return made.provider_id


def refund_of(charge_id: str | None, amount: Money, *, attempt: int = 1, order: str | None = None) -> RefundRequest:
    order = order or order_id()
    key = key_of(order, attempt, Step.REFUND)
    return RefundRequest(key=key, order_id=order, group=GROUP, amount=amount, charge_id=charge_id)


def transfer_to(payee_id: str, amount: Money, *charge_ids: str) -> TransferRequest:
    order = order_id()
    return TransferRequest(
        key=key_of(order, 1, Step.TRANSFER),
        order_id=order,
        group=GROUP,
        amount=amount,
        payee_id=payee_id,
        charge_ids=charge_ids,
    )


def payout_after(transfer: TransferRequest, transfer_id: str) -> PayoutRequest:
    return PayoutRequest(
        key=key_of(transfer.order_id, 1, Step.PAYOUT),
        order_id=transfer.order_id,
        group=transfer.group,
        amount=transfer.amount,
        payee_id=transfer.payee_id,
        transfer_id=transfer_id,
    )


def take_back_of(transfer: TransferRequest, transfer_id: str) -> TakeBackRequest:
    return TakeBackRequest(
        key=key_of(transfer.order_id, 1, Step.TAKE_BACK),
        order_id=transfer.order_id,
        group=transfer.group,
        amount=transfer.amount,
        payee_id=transfer.payee_id,
        transfer_id=transfer_id,
    )


def sought(
    request: Request,
    step: Step,
    *,
    provider_id: str | None = None,
    charge_id: str | None = None,
    payee_id: str | None = None,
    transfer_id: str | None = None,
) -> Sought:
    """The look-up of what a request made."""
    return Sought(
        step=step,
        key=request.key,
        order_id=request.order_id,
        group=request.group,
        amount=request.amount,
        provider_id=provider_id,
        charge_id=charge_id,
        payee_id=payee_id,
        transfer_id=transfer_id,
    )
